// Events pushed to JSON-RPC clients: in order, bounded for who does not read, and gone with the connection.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FeedEvent } from '../../protocol/operations/telemetry.ts';
import { startControl } from '../labs/control-lab.ts';
import { type Message, RawSocket } from '../labs/raw-socket.ts';
import { until } from '../labs/until.ts';

const event = (data: Record<string, unknown>, topic: FeedEvent['topic'] = 'lifecycle', plugin = 'p'): FeedEvent => ({
  topic,
  at: '2026-01-01T00:00:00.000Z',
  plugin,
  data,
});

const dataOf = (message: Message): unknown => (message.params?.['event'] as FeedEvent).data;

test('a subscriber is pushed the events it asked for, in order, after the answer to its subscription', async (t) => {
  const { path, feed } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  raw.request(1, 'events.subscribe', { topics: ['lifecycle'], plugin: 'p' });
  const { result } = await raw.message();
  assert.equal(result?.['buffer'], 1000);
  for (const each of [
    event({ n: 1 }),
    event({ n: 2 }, 'failure'),
    event({ n: 3 }, 'lifecycle', 'other'),
    event({ n: 4 }),
  ])
    feed.publish(each);
  const [first, second] = await raw.messages(2);
  assert.deepEqual(first, {
    jsonrpc: '2.0',
    method: 'event',
    params: { subscriptionId: result['subscriptionId'], sequence: 1, dropped: 0, event: event({ n: 1 }) },
  });
  assert.deepEqual(second && dataOf(second), { n: 4 });
});

test('a subscriber that does not read loses the oldest events, is told how many, and delays nobody', async (t) => {
  const { path, feed, server } = await startControl(t, { limits: { subscriptionBuffer: 10 } });
  const slow = await RawSocket.connect(t, path);
  const quick = await RawSocket.connect(t, path);
  for (const raw of [slow, quick]) {
    raw.request(1, 'events.subscribe', { topics: ['lifecycle'] });
    await raw.message();
  }
  slow.socket.pause();
  const filler = 'x'.repeat(16 * 1024);
  const count = 400;
  for (let n = 0; n < count; n += 1) {
    feed.publish(event({ n, filler }));
    assert.deepEqual(dataOf(await quick.message()), { n, filler });
  }
  assert.ok(server.counts().subscriptionEvents > 0, 'some were dropped');
  slow.socket.resume();
  const numbers: number[] = [];
  let last: Message | undefined;
  while (numbers.at(-1) !== count - 1) {
    last = await slow.message();
    numbers.push((dataOf(last) as { n: number }).n);
  }
  assert.deepEqual(
    numbers,
    [...numbers].sort((one, other) => one - other),
    'in order',
  );
  assert.equal(
    numbers.length + Number(last?.params?.['dropped']),
    count,
    'every event was pushed or counted as dropped',
  );
  assert.equal(last?.params?.['sequence'], count);
});

test('a subscription ends by its id, on the connection that opened it and on no other', async (t) => {
  const { path, feed, server } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  const other = await RawSocket.connect(t, path);
  raw.request(1, 'events.subscribe', { topics: ['lifecycle'] });
  const subscriptionId = (await raw.message()).result?.['subscriptionId'];
  other.request(1, 'events.unsubscribe', { subscriptionId });
  assert.deepEqual((await other.message()).result, { unsubscribed: false, dropped: 0 });
  assert.equal(server.counts().subscriptions, 1);
  raw.request(2, 'events.unsubscribe', { subscriptionId });
  assert.deepEqual((await raw.message()).result, { unsubscribed: true, dropped: 0 });
  feed.publish(event({}));
  raw.request(3, 'events.unsubscribe', { subscriptionId });
  assert.equal((await raw.message()).id, 3, 'nothing was pushed any more');
  assert.equal(server.counts().subscriptions, 0);
});

test('a connection has as many subscriptions as it may and they end with it', async (t) => {
  const { path, server } = await startControl(t, { limits: { subscriptions: 2 } });
  const raw = await RawSocket.connect(t, path);
  for (const id of [1, 2, 3]) raw.request(id, 'events.subscribe', {});
  const answers = await raw.messages(3);
  assert.equal(answers[1]?.error, undefined);
  assert.equal(answers[2]?.error?.data.code, 'limit_too_large');
  assert.deepEqual(answers[2].error.data.details, { limit: 'limits.subscriptions', maximum: 2 });
  assert.equal(server.counts().subscriptions, 2);
  raw.socket.destroy();
  await until('both have ended', () => server.counts().subscriptions === 0);
});
