// Many deadlines behind few timers, held for any order of calls that come, end and run out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Link } from '../daemon/tools/chain.ts';
import { type Deadlined, Deadlines } from '../daemon/tools/deadlines.ts';
import { VirtualClock } from './virtual-clock.ts';

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('comes' as const), timeoutMs: fc.oneof(fc.constantFrom(1, 5, 20), fc.integer({ min: 1, max: 60 })) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('ends' as const), which: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 30 }) }) },
);

test('whatever comes and ends meanwhile, each call runs out at its own deadline, once, and those that ended never do', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const clock = new VirtualClock();
      const deadlines = new Deadlines(clock);
      const open: { readonly call: Deadlined; readonly link: Link<Deadlined> }[] = [];
      for (const each of steps) {
        if (each.kind === 'comes') {
          const call: Deadlined = {
            timeoutMs: each.timeoutMs,
            deadlineMs: clock.monotonicMs() + each.timeoutMs,
            overran: () => {
              assert.equal(clock.monotonicMs(), call.deadlineMs);
              const at = open.findIndex((one) => one.call === call);
              assert.notEqual(at, -1, 'it ended before, or has run out already');
              open.splice(at, 1);
            },
          };
          open.push({ call, link: deadlines.add(call) });
        } else if (each.kind === 'ends' && open.length > 0) {
          const [ended] = open.splice(each.which % open.length, 1);
          if (ended !== undefined) deadlines.remove(ended.call, ended.link);
        } else if (each.kind === 'time') {
          clock.advance(each.ms);
        }
        for (const { call } of open) assert.ok(call.deadlineMs > clock.monotonicMs());
      }
      clock.advance(100);
      assert.deepEqual(open, []);
    }),
  );
});

test('timeouts of any length that callers choose leave no timers behind', () => {
  const clock = new VirtualClock();
  let timers = 0;
  const deadlines = new Deadlines({
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs(),
    soon: (run) => clock.soon(run),
    after: (delayMs, run) => {
      timers += 1;
      const timer = clock.after(delayMs, run);
      return {
        cancel: () => {
          timers -= 1;
          timer.cancel();
        },
      };
    },
  });
  for (let timeoutMs = 1; timeoutMs <= 1000; timeoutMs += 1) {
    const call: Deadlined = { timeoutMs, deadlineMs: clock.monotonicMs() + timeoutMs, overran: () => assert.fail('it had ended') };
    deadlines.remove(call, deadlines.add(call));
  }
  assert.ok(timers <= 8, String(timers));
  deadlines.close();
  assert.equal(timers, 0);
});
