// Batches and notifications of JSON-RPC 2.0.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startControl } from '../labs/control-lab.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { until } from '../labs/until.ts';

const ping = (id?: unknown): object => ({ jsonrpc: '2.0', ...(id === undefined ? {} : { id }), method: 'daemon.ping' });
const later = (id: unknown, ms: number): object => ({
  jsonrpc: '2.0',
  id,
  method: 'tool.call',
  params: { plugin: 'p', tool: 'later', input: { ms } },
});

test('a batch is answered by one line that holds every answer and none for a notification', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  const batch = [
    ping(1),
    ping(),
    later('slow', 50),
    { jsonrpc: '2.0', id: 3, method: 'no.such' },
    'nonsense',
    later('quick', 1),
    { jsonrpc: '2.0', method: 'no.such' },
  ];
  raw.send(`${JSON.stringify(batch)}\n`);
  const answers = await raw.batch();
  assert.deepEqual(new Set(answers.map((answer) => answer.id)), new Set([1, 'slow', 3, null, 'quick']));
  assert.equal(answers.find((answer) => answer.id === null)?.error?.code, -32600);
  assert.equal(answers.find((answer) => answer.id === 3)?.error?.code, -32601);
});

test('a slow batch does not hold back what was asked after it', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  raw.send(`${JSON.stringify([later('slow', 200)])}\n`).request('after', 'daemon.ping');
  assert.equal((await raw.message()).id, 'after');
  assert.deepEqual(
    (await raw.batch()).map((answer) => answer.id),
    ['slow'],
  );
});

test('an empty batch is an invalid request, and one beyond its bound is refused whole', async (t) => {
  const { path } = await startControl(t, { limits: { rpcBatch: 3 } });
  const raw = await RawSocket.connect(t, path);
  raw.send('[]\n');
  const empty = await raw.message();
  assert.deepEqual([empty.id, empty.error?.code], [null, -32600]);
  raw.send(`${JSON.stringify([ping(1), ping(2), ping(3), ping(4)])}\n`);
  const large = await raw.message();
  assert.equal(large.error?.data.code, 'limit_too_large');
  assert.deepEqual(large.error.data.details, { limit: 'limits.rpcBatch', maximum: 3 });
  raw.send(`${JSON.stringify([ping(1), ping(2), ping(3)])}\n`);
  assert.equal((await raw.batch()).length, 3);
});

test('notifications are executed and never answered; the failed ones are counted', async (t) => {
  let published = 0;
  const { path, server } = await startControl(t, {
    handlers: {
      'ingress.publish': () => {
        published += 1;
        return { accepted: true, eventId: 'e', correlationId: 'c', queueDepth: published };
      },
    },
  });
  const raw = await RawSocket.connect(t, path);
  const notify = (method: string, params: object = {}): string => JSON.stringify({ jsonrpc: '2.0', method, params });
  raw.send(
    `${notify('ingress.publish', { plugin: 'p', event: {} })}\n${notify('no.such')}\n${notify('daemon.ping', { extra: 1 })}\n`,
  );
  raw.send(`[${notify('ingress.publish', { plugin: 'p', event: {} })},${notify('plugin.list')}]\n`);
  raw.request('end', 'daemon.ping');
  assert.equal((await raw.message()).id, 'end', 'the first answer is that of the first request with an id');
  assert.equal(published, 2);
  await until('three failed notifications', () => server.counts().notificationsFailed === 3);
});

test('a batch of many costly requests leaves room for other connections', async (t) => {
  const { path } = await startControl(t, {
    handlers: {
      'plugin.list': () => {
        const end = performance.now() + 2;
        while (performance.now() < end);
        return { plugins: [], invalid: [] };
      },
    },
  });
  const busy = await RawSocket.connect(t, path);
  const calm = await RawSocket.connect(t, path);
  busy.send(
    `${JSON.stringify(Array.from({ length: 500 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'plugin.list' })))}\n`,
  );
  let answered = false;
  const whole = busy.batch().then((answers) => {
    answered = true;
    return answers;
  });
  for (let id = 0; id < 5; id += 1) {
    calm.request(id, 'daemon.ping');
    await calm.message();
  }
  assert.equal(answered, false, 'five round trips fit into a batch of a second');
  assert.deepEqual(
    (await whole).map((answer) => answer.id),
    Array.from({ length: 500 }, (_, id) => id),
  );
});
