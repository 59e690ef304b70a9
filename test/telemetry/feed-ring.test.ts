// The ring under timelines, logs and slow subscribers behaves as a plain list that forgets its oldest.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ring } from '../../daemon/telemetry/ring.ts';

test('for any order of calls a ring is the end of a list', () => {
  const call = fc.oneof(
    { weight: 20, arbitrary: fc.constant('push' as const) },
    fc.constantFrom('shift' as const, 'unshift' as const),
    fc.constant('clear' as const),
  );
  fc.assert(
    fc.property(
      fc.array(call, { maxLength: 150 }),
      fc.integer({ min: 1, max: 40 }),
      fc.nat(45),
      fc.nat(45),
      (calls, capacity, from, count) => {
        const ring = new Ring<number>(capacity);
        let list: number[] = [];
        for (const [number, name] of calls.entries()) {
          if (name === 'push') {
            list.push(number);
            assert.equal(ring.push(number), list.length > capacity ? list.shift() : undefined);
          } else if (name === 'shift') {
            assert.equal(ring.shift(), list.shift());
          } else if (name === 'unshift') {
            const fits = list.length < capacity;
            assert.equal(ring.unshift(number), fits);
            if (fits) list.unshift(number);
          } else {
            ring.clear();
            list = [];
          }
          assert.equal(ring.size, list.length);
        }
        assert.deepEqual(ring.slice(0, Infinity), list);
        assert.deepEqual(ring.slice(from, count), list.slice(from, from + count));
        assert.deepEqual(ring.newest(count), count === 0 ? [] : list.slice(-count));
      },
    ),
    { numRuns: 500 },
  );
});

test('a ring that can hold nothing is a mistake', () => {
  assert.throws(() => new Ring(0), RangeError);
  assert.throws(() => new Ring(Number.NaN), RangeError);
});
