// A process of its own that floods a webhook listener, until its standard input ends: what neighbours feel of it is
// measured elsewhere.
import { type Socket, connect } from 'node:net';

const [kind = '', host = '', port = '', path = '/'] = process.argv.slice(2);
const body = Buffer.from(JSON.stringify({ ref: 'refs/heads/main', filler: 'x'.repeat(900) }));
const head = (more: string): string =>
  `POST ${path} HTTP/1.1\r\nhost: hooks\r\ncontent-type: application/json\r\n${more}\r\n`;
const badlySigned = Buffer.concat([
  Buffer.from(head(`content-length: ${String(body.length)}\r\nx-hub-signature-256: sha256=${'0'.repeat(64)}\r\n`)),
  body,
]);
const huge = Buffer.alloc(16 * 1024, 0x78);
const smuggled = Buffer.from(
  `${head('content-length: 4\r\ntransfer-encoding: chunked\r\n')}0\r\n\r\nGET /other HTTP/1.1\r\nhost: hooks\r\n\r\n`,
);

/** What each connection does; it is made again when it ends. */
const floods: Readonly<Record<string, { readonly connections: number; open(socket: Socket): void }>> = {
  signatures: {
    connections: 32,
    open: (socket) => {
      socket.write(badlySigned);
      socket.on('data', () => void socket.write(badlySigned));
    },
  },
  slow: {
    connections: 200,
    open: (socket) => {
      socket.write(head('content-length: 1000\r\n'));
      const drip = setInterval(() => socket.write('x'), 500);
      socket.once('close', () => clearInterval(drip));
    },
  },
  huge: {
    connections: 16,
    open: (socket) => {
      socket.write(head('transfer-encoding: chunked\r\n'));
      const more = (): void => {
        while (!socket.destroyed && socket.write(`${huge.length.toString(16)}\r\n`) && socket.write(huge))
          socket.write('\r\n');
      };
      socket.on('drain', more);
      socket.on('data', () => undefined);
      more();
    },
  },
  smuggling: {
    connections: 16,
    open: (socket) => {
      socket.write(smuggled);
      socket.on('data', () => undefined);
    },
  },
};

const flood = floods[kind];
if (flood === undefined) throw new Error(`there is no flood ${kind}`);

function again(): void {
  const socket = connect(Number(port), host, () => flood?.open(socket));
  socket.on('error', () => undefined);
  socket.once('close', () => setTimeout(again, 1));
}
for (let at = 0; at < flood.connections; at += 1) again();

process.stdin.resume();
process.stdin.once('end', () => process.exit(0));
