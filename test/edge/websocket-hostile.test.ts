// What a peer may do to a websocket source: it floods, cheats and hangs up, and harms nobody.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type Server, type Socket, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import type { EdgeSource } from '../../protocol/edge/messages.ts';
import { source as sourceSchema } from '../../protocol/sources.ts';
import { Credentials } from '../../workers/edge/credentials.ts';
import { InFlight } from '../../workers/edge/in-flight.ts';
import { RunningSource } from '../../workers/edge/running-source.ts';
import { WebsocketDriver } from '../../workers/edge/websocket-driver.ts';
import { chatSource, reported, startPeer, websocketLab } from '../labs/websocket-lab.ts';
import { untilAnswer } from '../labs/until.ts';

const mib = 1024 * 1024;

/** Speaks the handshake and then sends whatever it likes. */
async function rawPeer(t: TestContext, connected: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', (head: Buffer) => {
      const key = /sec-websocket-key: (.+)\r\n/i.exec(head.toString())?.[1] ?? '';
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      connected(socket);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `ws://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
}

function frame(payload: Buffer, first = 0x81): Buffer {
  const head =
    payload.length < 126
      ? Buffer.from([first, payload.length])
      : payload.length < 65_536
        ? Buffer.from([first, 126, payload.length >> 8, payload.length & 0xff])
        : Buffer.concat([Buffer.from([first, 127, 0, 0, 0, 0]), uint32(payload.length)]);
  return Buffer.concat([head, payload]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

test('huge frames, text that is not UTF-8 and compressed bombs end the connection, and it is made again', async (t) => {
  const attacks: readonly [Buffer, RegExp][] = [
    [frame(Buffer.alloc(64 * mib, 0x61)), /larger than limits\.eventBytes/],
    [frame(Buffer.from([0x22, 0xff, 0xfe, 0x22])), /not UTF-8/],
    [frame(deflateRawSync(Buffer.alloc(64 * mib)), 0xc1), /compressed message/],
    [Buffer.from([0x83, 0x00]), /WS_ERR/],
    // One message of empty pieces without an end.
    [
      Buffer.concat([frame(Buffer.alloc(0), 0x01), Buffer.alloc(64 * 1024, Buffer.from([0x00, 0x00]))]),
      /too many pieces/,
    ],
  ];
  let connections = 0;
  const url = await rawPeer(t, (socket) => {
    const attack = attacks[connections];
    connections += 1;
    if (attack === undefined) socket.write(frame(Buffer.from('{"fine":true}')));
    else socket.write(attack[0]);
  });
  const lab = await websocketLab(t, { sources: [chatSource(url, { reconnect: { backoffMs: [300, 300] } })] });
  for (const [at, [, said]] of attacks.entries()) {
    const { lastError } = await untilAnswer(
      'the answer fits',
      () => lab.source('chat'),
      (source) => said.test(source.lastError?.message ?? ''),
    );
    assert.equal(lastError?.code, 'connection_failed', String(at));
  }
  await untilAnswer('the answer fits', lab.handled, (count) => count === 1);
  assert.deepEqual((await reported(lab)).payloads, [{ data: { fine: true } }]);
});

test('a message that fits its frame but no event is refused, and the connection stays', async (t) => {
  const peer = await startPeer(t);
  const lab = await websocketLab(t, { sources: [chatSource(peer.url)], config: { limits: { eventBytes: 4096 } } });
  const connection = await peer.connection(0);
  connection.send(Buffer.alloc(4000));
  connection.send(`${'['.repeat(300)}${']'.repeat(300)}`);
  connection.send('"fine"');
  await untilAnswer('the answer fits', lab.handled, (count) => count === 1);
  const { counters, lastError } = await lab.source('chat');
  assert.equal(counters.refused, 2);
  assert.equal(lastError?.code, 'invalid_event');
  assert.equal(peer.connections.length, 1);
});

test('while the queue is full the peer is held up by TCP, and nothing is lost or reordered', async (t) => {
  const peer = await startPeer(t);
  const lab = await websocketLab(t, { sources: [chatSource(peer.url)], service: { queue: { capacity: 4 } } });
  const connection = await peer.connection(0);
  const padding = 'x'.repeat(30_000);
  connection.send(JSON.stringify({ n: 0, waitMs: 3000 }));
  const total = 1000;
  for (let n = 1; n < total; n += 1) connection.send(JSON.stringify({ n, padding }));
  // 30 MB are more than both kernels' buffers take.
  await untilAnswer(
    'the answer fits',
    () => lab.source('chat'),
    ({ counters }) => counters.received > 4,
  );
  const held = connection.bufferedAmount;
  assert.ok(held > mib, String(held));
  const { counters } = await lab.source('chat');
  assert.ok(counters.received < 400, String(counters.received));
  await untilAnswer('the answer fits', lab.handled, (count) => count === total);
  const { payloads } = await reported(lab);
  assert.deepEqual(
    payloads.map(({ data }) => (data as { n: number }).n),
    Array.from({ length: 50 }, (_, at) => total - 50 + at),
  );
  const after = await lab.source('chat');
  assert.equal(after.counters.accepted, total);
  assert.equal(after.counters.refused, 0);
});

/** The driver without a daemon: what it leaves behind is then this process's own. */
function runningSource(url: string, more: object = {}): RunningSource {
  const source: EdgeSource = {
    key: 'a/chat',
    plugin: 'a',
    name: 'chat',
    declaration: sourceSchema.parse(chatSource(url, { auth: undefined, ...more })) as EdgeSource['declaration'],
    kinds: ['push'],
    folder: '/',
    readable: undefined,
    paused: false,
    asked: 0,
    accepting: true,
  };
  const inFlight: InFlight = new InFlight(16, (events) =>
    setImmediate(() =>
      inFlight.answered(events.map(({ id }) => ({ id, outcome: 'accepted', correlationId: 'c', duplicate: false }))),
    ),
  );
  const running = new RunningSource(source, {
    credentials: new Credentials({}),
    inFlight,
    eventBytes: 262_144,
    nesting: 64,
    changed: () => undefined,
    recall: () => Promise.resolve([]),
    remember: () => undefined,
  });
  running.begin((context) => new WebsocketDriver(context));
  return running;
}

test('500 forced reconnects leave no socket, timer or listener behind', async (t) => {
  let connections = 0;
  const peer = await startPeer(t);
  const running = runningSource(peer.url, { reconnect: { backoffMs: [10, 10] } });
  const before = new Map<string, number>();
  const resources = (): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1);
    return counts;
  };
  for (const ways = ['terminate', 'close', 'halfway'] as const; connections < 500; connections += 1) {
    const connection = await peer.connection(connections);
    if (connections === 20) for (const [name, count] of resources()) before.set(name, count);
    const way = ways[connections % ways.length];
    if (way === 'close') connection.close(1012);
    else if (way === 'terminate') connection.terminate();
    else {
      connection.send('{"a":1}');
      connection.close(4000);
    }
  }
  await peer.connection(500);
  const { counters } = running.report();
  assert.equal(counters.reconnects, 500);
  running.close();
  await untilAnswer(
    'the answer fits',
    () => peer.connections.filter(({ readyState }) => readyState !== 3).length,
    (open) => open === 0,
  );
  await untilAnswer(
    'the answer fits',
    () => [...resources()].filter(([name, count]) => count > (before.get(name) ?? 0) + 2),
    (grown) => grown.length === 0,
  );
});

test('a source that is closed while it connects leaves nothing', async (t) => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const sockets = new Set<Socket>();
  silent.on('connection', (socket) => sockets.add(socket.resume()));
  t.after(() => silent.close());
  const running = runningSource(`ws://127.0.0.1:${String((silent.address() as AddressInfo).port)}/`, {
    connectMs: 200,
    reconnect: { backoffMs: [10, 10] },
  });
  await untilAnswer(
    'the answer fits',
    () => running.report(),
    ({ lastError }) => /not open within 200 ms/.test(lastError?.message ?? ''),
  );
  running.close();
  await untilAnswer(
    'the answer fits',
    () => [...sockets].filter(({ closed }) => !closed).length,
    (open) => open === 0,
  );
});
