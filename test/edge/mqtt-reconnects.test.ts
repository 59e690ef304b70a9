// A broker that cuts the connection again and again, in every way that there is, costs nothing that stays.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { test } from 'node:test';
import type { EdgeSource, FromEdge, SourceReport } from '../../protocol/edge/messages.ts';
import { source as sourceSchema } from '../../protocol/sources.ts';
import { Edge } from '../../workers/edge/edge.ts';
import { untilAnswer } from '../labs/until.ts';

const connack = Buffer.from([0x20, 0x03, 0x00, 0x00, 0x00]);
const refused = Buffer.from([0x20, 0x03, 0x00, 0x88, 0x00]);
const publish = Buffer.from([0x32, 0x09, 0x00, 0x03, 0x61, 0x2f, 0x62, 0x00, 0x01, 0x00, 0x31]);

const endings: readonly ((socket: Socket) => void)[] = [
  (socket) => socket.destroy(),
  (socket) => socket.end(connack),
  (socket) => socket.write(connack, () => socket.resetAndDestroy()),
  (socket) => socket.end(refused),
  (socket) => socket.end(Buffer.concat([connack, publish])),
  (socket) => socket.end(Buffer.from([0xff, 0xff, 0xff, 0xff])),
  (socket) => socket.end(Buffer.concat([connack, Buffer.from([0xe0, 0x02, 0x8b, 0x00])])),
];

function declared(url: string, paused: boolean): EdgeSource {
  const declaration = sourceSchema.parse({
    name: 'sensors',
    type: 'mqtt',
    ingress: 'in',
    kind: 'reading',
    url,
    topics: ['a/b'],
    reconnect: { backoffMs: [10, 10] },
  });
  if (declaration.type === 'schedule') throw new TypeError('an mqtt source was declared');
  return {
    key: 'trial.home/sensors',
    plugin: 'trial.home',
    name: 'sensors',
    declaration,
    kinds: ['reading'],
    folder: '/',
    paused,
    asked: 0,
    accepting: true,
  };
}

const countOf = (resource: string): number => process.getActiveResourcesInfo().filter((one) => one === resource).length;

test('200 connections to a broker that cuts them leave no socket and no timer behind', async (t) => {
  let cut = 0;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      cut += 1;
      endings[cut % endings.length]?.(socket);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const url = `mqtt://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  let report: SourceReport | undefined;
  const edge = new Edge(
    { eventBytes: 65_536, nesting: 100, inFlight: 100, webhooks: false },
    {},
    (message: FromEdge) => {
      if (message.type === 'reports') report = message.reports.at(-1) ?? report;
      if (message.type === 'recall')
        setImmediate(() => edge.receive({ type: 'recalled', key: message.key, entries: [] }));
      if (message.type === 'events')
        edge.receive({
          type: 'answers',
          answers: message.events.map(({ id }) => ({ id, outcome: 'accepted', correlationId: '', duplicate: false })),
        });
    },
  );
  t.after(() => edge.receive({ type: 'close' }));
  const declare = (paused: boolean): void => edge.receive({ type: 'sources', sources: [declared(url, paused)] });
  const held = async (): Promise<{ sockets: number; timers: number }> => {
    declare(true);
    await untilAnswer(
      'the answer fits',
      () => report?.state,
      (state) => state === 'paused',
    );
    await untilAnswer(
      'the answer fits',
      () => countOf('TCPSocketWrap'),
      (count) => count === 0,
    );
    // Timers of other parts of this process come and go: the fewest at rest are what counts.
    let timers = Infinity;
    for (let look = 0; look < 20; look += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      timers = Math.min(timers, countOf('Timeout'));
    }
    return { sockets: countOf('TCPSocketWrap'), timers };
  };
  declare(false);
  await untilAnswer(
    'the answer fits',
    () => cut,
    (count) => count >= 20,
  );
  const few = await held();
  declare(false);
  await untilAnswer(
    'the answer fits',
    () => cut,
    (count) => count >= 200,
    60_000,
  );
  const many = await held();
  assert.equal(many.sockets, 0);
  // The library ends some of its own a moment later.
  await untilAnswer(
    'the answer fits',
    () => countOf('Timeout'),
    (timers) => timers <= few.timers,
  );
});
