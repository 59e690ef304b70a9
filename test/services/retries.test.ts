// How long events wait for their retry, and the one timer that wakes them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IngressQueue } from '../../daemon/dispatch/ingress-queue.ts';
import type { QueuedEvent } from '../../daemon/dispatch/queued-event.ts';
import { WakeTurns } from '../../daemon/dispatch/wake-turns.ts';
import { Retries } from '../../daemon/services/retries.ts';
import { retryDelayMs } from '../../daemon/services/retry-delay.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

const head = { ingress: 'work', kind: 'do', source: 'test', createdAt: '2026-01-01T00:00:00.000Z' };
const event = (n: number): QueuedEvent => ({
  head,
  payload: String(n),
  eventId: String(n),
  correlationId: String(n),
  attempt: 2,
  bytes: 10,
  acceptedMs: n,
  story: [],
});
const ids = (events: readonly QueuedEvent[]): string[] => events.map(({ eventId }) => eventId);

function bench(): { readonly clock: VirtualClock; readonly queue: IngressQueue; readonly retries: Retries } {
  const clock = new VirtualClock();
  const queue = new IngressQueue({ capacity: 1000, maxBytes: 1e9 });
  return { clock, queue, retries: new Retries({ queue, clock, turn: new WakeTurns(clock, 1).join(queue) }) };
}

test('the back-off doubles with each failed attempt between its two bounds', () => {
  assert.deepEqual(
    [1, 2, 3, 6, 7, 100].map((failed) => retryDelayMs({ backoffMs: [1000, 60_000] }, failed)),
    [1000, 2000, 4000, 32_000, 60_000, 60_000],
  );
  assert.equal(retryDelayMs({ backoffMs: [0, 0] }, 5), 0);
});

test('however many events wait, there is one timer, and each is ready when it is due', () => {
  const { clock, queue, retries } = bench();
  for (let n = 0; n < 100; n += 1) retries.wait(event(n), 1000 - n * 10, false);
  assert.equal(clock.pendingTimers, 1);
  assert.deepEqual([queue.size, queue.ready, queue.waiting, queue.bytes], [100, 0, 100, 1000]);
  clock.advance(30);
  assert.deepEqual([queue.ready, queue.waiting, clock.pendingTimers], [3, 97, 1]);
  assert.deepEqual(ids(queue.take(10, Infinity)), ['97', '98', '99']);
  clock.advance(970);
  assert.deepEqual([queue.ready, queue.waiting, clock.pendingTimers], [97, 0, 0]);
});

test('one event that holds the others back is first when it is due, whatever came or came back meanwhile', () => {
  const { clock, queue, retries } = bench();
  queue.push(event(3));
  retries.wait(event(1), 50, true);
  queue.giveBack([event(2)]);
  assert.deepEqual([queue.size, queue.ready, ids(queue.take(10, Infinity))], [3, 0, []]);
  assert.deepEqual(ids([...queue]), ['1', '2', '3']);
  clock.advance(50);
  assert.deepEqual(ids(queue.take(10, Infinity)), ['1', '2', '3']);
});

test('what is taken out of the queue holds nothing back any more, and its timer is gone', () => {
  const { clock, queue, retries } = bench();
  retries.wait(event(1), 50, true);
  queue.push(event(2));
  assert.deepEqual(ids(queue.removeWhere(({ eventId }) => eventId === '1')), ['1']);
  retries.rearm();
  assert.deepEqual([queue.ready, clock.pendingTimers, queue.bytes], [1, 0, 10]);
});
