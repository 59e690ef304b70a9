// The clock that policy tests stand on: it must be as dependable as the real one, and always the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../labs/virtual-clock.ts';

test('timers run by due time, then in the order they were made, each at its own instant', () => {
  const clock = new VirtualClock(1_000_000, 50);
  const ran: string[] = [];
  const note = (name: string) => () => ran.push(`${name}@${String(clock.monotonicMs() - 50)}`);
  clock.after(20, note('late'));
  clock.after(10, note('first'));
  clock.after(10, note('second'));
  clock.after(0, note('now'));
  assert.deepEqual(ran, []);
  clock.advance(10);
  assert.deepEqual(ran, ['now@0', 'first@10', 'second@10']);
  assert.equal(clock.nextTimerInMs, 10);
  clock.advance(100);
  assert.deepEqual(ran.slice(3), ['late@20']);
  assert.equal(clock.wallMs(), 1_000_110);
  assert.equal(clock.monotonicMs(), 160);
  assert.equal(clock.pendingTimers, 0);
});

test('what is asked for soon runs after the callback that asked, before the next timer', () => {
  const clock = new VirtualClock();
  const ran: string[] = [];
  clock.after(5, () => {
    clock.soon(() => {
      ran.push('soon');
      clock.soon(() => ran.push('soon of soon'));
    });
    ran.push('one');
  });
  clock.after(5, () => ran.push('two'));
  clock.soon(() => ran.push('before any timer'));
  clock.advance(5);
  assert.deepEqual(ran, ['before any timer', 'one', 'soon', 'soon of soon', 'two']);
});

test('a timer made inside a callback runs in the same step when it is due in it', () => {
  const clock = new VirtualClock();
  const ran: number[] = [];
  const tick = (): void => {
    ran.push(clock.monotonicMs());
    clock.after(10, tick);
  };
  clock.after(10, tick);
  clock.advance(35);
  assert.deepEqual(ran, [5010, 5020, 5030]);
  assert.equal(clock.pendingTimers, 1);
});

test('a cancelled timer never runs, also when an earlier one of the same instant cancels it', () => {
  const clock = new VirtualClock();
  let ran = false;
  clock.after(1, () => timer.cancel());
  const timer = clock.after(1, () => {
    ran = true;
  });
  clock.advance(10);
  timer.cancel();
  assert.equal(ran, false);
});

test('drain runs what was asked for soon and moves no time', () => {
  const clock = new VirtualClock();
  let ran = 0;
  clock.after(0, () => assert.fail('a timer needs advance'));
  clock.soon(() => {
    ran += 1;
  });
  clock.drain();
  assert.equal(ran, 1);
  assert.equal(clock.monotonicMs(), 5000);
});

test('callbacks that ask for more without end, move the clock or turn it back are found out', () => {
  const clock = new VirtualClock();
  const forever = (): void => clock.soon(forever);
  forever();
  assert.throws(() => clock.drain(), /without end/);
  const other = new VirtualClock();
  other.soon(() => other.advance(1));
  assert.throws(() => other.drain(), /must not move/);
  assert.throws(() => other.advance(-1), RangeError);
});

test('an error of a callback reaches the test and loses none of the callbacks behind it', () => {
  const clock = new VirtualClock();
  const ran: string[] = [];
  clock.soon(() => {
    clock.soon(() => ran.push('later'));
    throw new Error('planned');
  });
  clock.soon(() => ran.push('behind'));
  assert.throws(() => clock.drain(), /planned/);
  clock.drain();
  assert.deepEqual(ran, ['behind', 'later']);
});

test('any set of timers, however the time is cut into steps, runs in one order and none too early or late', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(200), { maxLength: 50 }),
      fc.array(fc.nat(60), { minLength: 1, maxLength: 20 }),
      (delays, steps) => {
        const clock = new VirtualClock(0, 0);
        const ran: number[] = [];
        for (const [index, delay] of delays.entries()) {
          clock.after(delay, () => {
            assert.equal(clock.monotonicMs(), delay);
            ran.push(index);
          });
        }
        for (const step of steps) clock.advance(step);
        const end = clock.monotonicMs();
        const expected = delays
          .map((delay, index) => ({ delay, index }))
          .filter(({ delay }) => delay <= end)
          .sort((one, two) => one.delay - two.delay || one.index - two.index)
          .map(({ index }) => index);
        assert.deepEqual(ran, expected);
      },
    ),
  );
});
