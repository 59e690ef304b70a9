// Many deadlines on one timer: each passes at its time and not before, unless it was lifted, and nothing is left of
// them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deadlines } from '../../daemon/time/deadlines.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

const step = fc.oneof(
  fc.record({ set: fc.constantFrom(1, 5, 5, 5, 20, 40, 60, 300) }),
  fc.record({ lift: fc.nat() }),
  fc.record({ waitMs: fc.nat(8) }),
);

test('each deadline passes at its time unless it was lifted, and no timer is left', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const clock = new VirtualClock();
      const deadlines = new Deadlines(clock);
      const made: {
        readonly dueMs: number;
        readonly deadline: ReturnType<Deadlines['set']>;
        passedMs?: number;
        liftedMs?: number;
      }[] = [];
      for (const one of steps) {
        if ('set' in one) {
          const at = made.length;
          const nowMs = clock.monotonicMs();
          made.push({
            dueMs: nowMs + one.set,
            deadline: deadlines.set(nowMs, one.set, () =>
              Object.assign(made[at] ?? {}, { passedMs: clock.monotonicMs() }),
            ),
          });
        } else if ('lift' in one) {
          const chosen = made[one.lift % Math.max(1, made.length)];
          if (chosen !== undefined) {
            deadlines.lift(chosen.deadline);
            if (chosen.passedMs === undefined) chosen.liftedMs ??= clock.monotonicMs();
          }
        } else {
          clock.advance(one.waitMs);
        }
        const open = made.filter(({ passedMs, liftedMs }) => passedMs === undefined && liftedMs === undefined);
        assert.equal(clock.pendingTimers, open.length === 0 ? 0 : 1);
      }
      clock.advance(1000);
      for (const { dueMs, passedMs, liftedMs } of made)
        assert.equal(passedMs, liftedMs === undefined ? dueMs : undefined);
      assert.equal(clock.pendingTimers, 0);
    }),
    { numRuns: 1000 },
  );
});
