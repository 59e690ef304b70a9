// What a server on a unix socket cannot be faster than: one that sends back what it gets, and one that cuts the same
// lines, parses them and answers as much as Nagaya does, and does nothing else.
import { type Socket, createServer } from 'node:net';
import { LineCutter, asText } from '../../../protocol/framing.ts';
import { attend } from '../attendant.ts';

const maxLineBytes = 8 * 1024 * 1024;

interface Listening {
  readonly path: string;
  /** Everything after the id of an answer; without it bytes are sent back as they came. */
  readonly answer?: string;
}

function echo(socket: Socket): void {
  socket.on('data', (chunk: Buffer) => socket.write(chunk));
}

/** All answers of a turn leave in one write, as Nagaya's do. */
function parseOnly(socket: Socket, answer: string): void {
  let outgoing = '';
  const flush = (): void => {
    const text = outgoing;
    outgoing = '';
    socket.write(text);
  };
  const cutter = new LineCutter(maxLineBytes, {
    line: asText((text) => {
      const { id } = JSON.parse(text) as { id: number };
      if (outgoing === '') setImmediate(flush);
      outgoing += `{"jsonrpc":"2.0","id":${String(id)},${answer}\n`;
    }),
    tooLong: () => socket.destroy(),
  });
  socket.on('data', (chunk: Buffer) => cutter.push(chunk));
}

attend({
  listen: ({ path, answer }: Listening) =>
    new Promise<void>((resolve) => {
      const server = createServer((socket) => {
        socket.on('error', () => socket.destroy());
        if (answer === undefined) echo(socket);
        else parseOnly(socket, answer);
      });
      server.listen(path, resolve);
    }),
});
