// Somebody sets the clock of the machine, or it starts without one that is right: what waits, waits as long as it was
// to wait, and what is remembered is remembered as long as it was to be.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command, Delivery } from '../../daemon/outputs/command.ts';
import { OutputQueue } from '../../daemon/outputs/output-queue.ts';
import { type MovedEvent, remainingMs } from '../../daemon/services/durable/event-page.ts';
import { IdempotencyKeys } from '../../daemon/services/durable/idempotency-keys.ts';
import { steadyMs } from '../../daemon/time/steady-time.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const jumps = [-50 * dayMs, -5 * hourMs, 5 * hourMs, 400 * dayMs];

const keysOf = (clock: VirtualClock): IdempotencyKeys =>
  new IdempotencyKeys('p', { dedupeMs: dayMs, dedupeKeys: 100 }, clock);

const ids = { eventId: 'e', correlationId: 'e' };

test('an idempotency key is known for its time, wherever the clock jumps meanwhile', () => {
  for (const jump of jumps) {
    const clock = new VirtualClock();
    const keys = keysOf(clock);
    keys.remember('key', ids, false);
    clock.setWall(clock.wallMs() + jump);
    keys.remember('later', ids, false);
    clock.advance(dayMs - 1);
    assert.ok(keys.find('key'), `${String(jump)} ms`);
    clock.advance(1);
    assert.equal(keys.find('key'), undefined, `${String(jump)} ms`);
    assert.equal(keys.find('later'), undefined, `${String(jump)} ms`);
  }
});

test('a key that is read again while the clock is behind is known for its whole time, and not for the gap as well', () => {
  const clock = new VirtualClock();
  const stored = JSON.stringify([['key', 'e', 0, clock.wallMs(), 1]]);
  clock.setWall(clock.wallMs() - 400 * dayMs);
  const keys = keysOf(clock);
  keys.found(1, stored);
  clock.advance(dayMs - 1);
  assert.ok(keys.find('key'));
  clock.advance(1);
  assert.equal(keys.find('key'), undefined);
});

const commandAt = (createdMs: number): Command => ({
  id: 'e/1',
  place: 1,
  eventId: 'e',
  correlationId: 'e',
  hops: 1,
  createdMs,
  kept: false,
  output: 'o',
  json: '1',
});

/** An output whose receiver is down, with a command of this time to live. */
async function deadAfterMs(clock: VirtualClock, createdMs: number, jump: number): Promise<number> {
  const down: Delivery = { is: 'retry', error: { code: 'output_unreachable', message: 'down' } };
  let isDead = false;
  const queue = new OutputQueue({ send: () => Promise.resolve(down) }, dayMs, {
    clock,
    random: () => 1,
    concurrency: 1,
    sent: () => assert.fail(),
    died: () => (isDead = true),
    troubled: () => undefined,
  });
  queue.push(commandAt(createdMs));
  const settled = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));
  await settled();
  clock.setWall(clock.wallMs() + jump);
  let waitedMs = 0;
  while (!isDead && waitedMs < 10 * dayMs) {
    const nextMs = clock.nextTimerInMs ?? assert.fail('it waits for nothing');
    assert.ok(nextMs <= 60_000, 'the next attempt is not far away');
    clock.advance(nextMs);
    waitedMs += nextMs;
    await settled();
  }
  return waitedMs;
}

test('a command is tried for its time to live, wherever the clock jumps meanwhile', async () => {
  for (const jump of jumps) {
    const clock = new VirtualClock();
    const diedMs = await deadAfterMs(clock, clock.wallMs(), jump);
    assert.ok(diedMs <= dayMs && diedMs > dayMs - 120_000, `${String(jump)} ms: ${String(diedMs)}`);
  }
});

test('a stored command that was made while the clock was ahead is tried for its time to live', async () => {
  const clock = new VirtualClock();
  const diedMs = await deadAfterMs(clock, clock.wallMs() + 90 * dayMs, 0);
  assert.ok(diedMs <= dayMs && diedMs > dayMs - 120_000, String(diedMs));
  // One that was made an hour ago has an hour less.
  const older = await deadAfterMs(clock, clock.wallMs() - hourMs, 0);
  assert.ok(older <= dayMs - hourMs && older > dayMs - hourMs - 120_000, String(older));
});

test('an event that waits for its retry over a restart does not wait for the clock to catch up', () => {
  const failedMs = Date.UTC(2030, 0, 1);
  const story = [
    { attempt: 1, at: new Date(failedMs).toISOString(), incarnation: 1, error: { code: 'internal', message: '' } },
  ];
  const moved = { event: { story }, retryAtMs: failedMs + 30_000 } as unknown as MovedEvent;
  assert.equal(remainingMs(moved, failedMs + 10_000), 20_000);
  assert.equal(remainingMs(moved, failedMs + dayMs), 30_000 - dayMs, 'it is due');
  assert.equal(remainingMs(moved, failedMs - 5 * hourMs), 30_000);
  const untold = { event: { story: [] }, retryAtMs: failedMs } as unknown as MovedEvent;
  assert.equal(remainingMs(untold, failedMs - 10), 10);
});

test('the clock for ages goes on and never back', () => {
  let last = steadyMs();
  for (let look = 0; look < 1000; look += 1) {
    const now = steadyMs();
    assert.ok(now >= last && now - last < 60_000);
    last = now;
  }
});
