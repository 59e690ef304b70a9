// Waking cells is rationed where there are many of them: at once while there are few wake-ups, in turn beyond that, nobody
// forgotten, and nobody before another who asked earlier.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WakeBudget } from '../daemon/services/wake-budget.ts';
import { VirtualClock } from './virtual-clock.ts';

test('whoever asks is woken, in the order of asking, at once while few ask and never more than ten a millisecond', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ asks: fc.nat(300), waitMs: fc.nat(20) }), { maxLength: 12 }), (steps) => {
      const clock = new VirtualClock();
      const budget = new WakeBudget(clock);
      const woken: number[] = [];
      let asked = 0;
      for (const { asks, waitMs } of steps) {
        for (let n = 0; n < asks; n += 1) {
          const own = asked++;
          budget.ask(() => woken.push(own));
        }
        clock.drain();
        clock.advance(waitMs);
        const nowMs = clock.monotonicMs() - new VirtualClock().monotonicMs();
        assert.ok(woken.length <= 64 + nowMs * 10, `${String(woken.length)} in ${String(nowMs)} ms`);
      }
      clock.advance(asked);
      assert.deepEqual(woken, Array.from({ length: asked }, (_, n) => n));
      assert.equal(clock.pendingTimers, 0);
    }),
  );
});

test('a lone wake-up never waits, also long after many', () => {
  const clock = new VirtualClock();
  const budget = new WakeBudget(clock);
  for (let n = 0; n < 1000; n += 1) budget.ask(() => {});
  clock.advance(200);
  let woken = 0;
  for (let n = 0; n < 100; n += 1) {
    budget.ask(() => (woken += 1));
    clock.drain();
    assert.equal(woken, n + 1);
    clock.advance(1);
  }
});
