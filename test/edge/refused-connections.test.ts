// What is over is not read any further, and takes no place from others for long.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { RefusedConnections } from '../../workers/edge/refused-connections.ts';
import { WebhookListener } from '../../workers/edge/webhook-listener.ts';

const mib = 1024 * 1024;
const bounds = {
  connections: 100,
  headerBytes: 16 * 1024,
  bodyBytes: 256 * 1024,
  bodiesBytes: 16 * mib,
  pending: 64,
  requestMs: 60_000,
  idleMs: 60_000,
};
/** What the system takes on both sides, and nobody has read. */
const buffersBytes = 32 * mib;

async function listening(t: TestContext): Promise<number> {
  const port = await new Promise<number>((resolve, reject) => {
    const listener = new WebhookListener(true, { listening: (_host, at) => resolve(at), unlistenable: reject });
    listener.listen({ host: '127.0.0.1', port: 0, bounds });
    t.after(() => listener.close());
  });
  return port;
}

function dial(t: TestContext, port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  return socket;
}

const floods: readonly [what: string, head: string, piece: Buffer][] = [
  [
    'a body without end',
    'POST /hooks/any.thing/at-all HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n',
    Buffer.from(`${mib.toString(16)}\r\n${'x'.repeat(mib)}\r\n`),
  ],
  ['what is no HTTP', 'POST / HTTP/1.1\r\ncontent-length : 5\r\n\r\n', Buffer.alloc(mib, 0x78)],
];
for (const [what, head, piece] of floods) {
  test(`${what} is not read after its refusal, and its connection is cut`, async (t) => {
    const sender = dial(t, await listening(t));
    sender.on('data', () => undefined);
    const more = (): void => {
      while (sender.writable && sender.write(piece));
    };
    sender.on('drain', more);
    sender.write(head);
    more();
    await new Promise((resolve) => sender.once('close', resolve));
    assert.ok(sender.bytesWritten - sender.writableLength < buffersBytes, `${String(sender.bytesWritten)} bytes`);
  });
}

test('beyond the bound a connection is cut at once, after its answer', async (t) => {
  const connections = new RefusedConnections(0);
  const server = createServer((socket) => {
    socket.write('refused');
    connections.add(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const sender = dial(t, (server.address() as AddressInfo).port);
  const answer = once(sender, 'data');
  await new Promise((resolve) => sender.once('close', resolve));
  assert.equal(String((await answer)[0]), 'refused');
});

test('who cannot prove who sends is answered once on a connection, and it is cut', async (t) => {
  const sender = dial(t, await listening(t));
  let answers = '';
  sender.setEncoding('utf8').on('data', (text: string) => (answers += text));
  const request = 'POST /hooks/any.thing/at-all HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}';
  sender.write(request);
  sender.on('data', () => sender.write(request));
  await new Promise((resolve) => sender.once('close', resolve));
  assert.deepEqual(answers.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 401']);
  assert.match(answers, /\r\nconnection: close\r\n/i);
});
