// A thread that a busy machine gives no time to is asked again, and for a bounded time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AskableCell, locateMs, whereabouts } from '../../daemon/isolates/stack-capture.ts';

/** Its thread waits for a processor until it has been asked so often. */
function busyCell(asks: number): AskableCell & { asked: number } {
  let queuedMs = 0;
  return {
    threadId: 7,
    asked: 0,
    async evaluate(_expression, withinMs) {
      this.asked += 1;
      if (this.asked > asks) return { exceptionDetails: { exception: { value: 7 }, stackTrace: { callFrames: [] } } };
      await sleep(withinMs);
      queuedMs += withinMs * 2;
      return undefined;
    },
    reachable: () => true,
    times: () => ({ ranMs: 1, queuedMs }),
  };
}

test('a thread that got no time is asked again, and told when it has answered', async () => {
  const cell = busyCell(3);
  assert.deepEqual(await whereabouts(cell, '/plugin', locateMs), { kind: 'waiting', frames: [] });
});

test('a thread that never gets time is unknown, after a bounded time', async () => {
  const cell = busyCell(Infinity);
  assert.deepEqual(await whereabouts(cell, '/plugin', locateMs), { kind: 'unknown', frames: [] });
  assert.ok(cell.asked > 1 && cell.asked <= 8, String(cell.asked));
});
