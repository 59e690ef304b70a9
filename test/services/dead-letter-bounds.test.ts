// The store of dead letters keeps to its bounds whatever happens, drops the oldest first, counts what it dropped, and
// says the same after it was read from disk again.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { DeadLetters } from '../../daemon/services/dead-letters.ts';
import { letter, openLetters } from '../labs/dead-letter-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

type Step =
  | { readonly do: 'add'; readonly length: number }
  | { readonly do: 'remove'; readonly which: number }
  | { readonly do: 'removeAll' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      length: fc.oneof({ weight: 8, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.nat(20_000) }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'removeAll' as const }) },
);
const bounds = fc.record({
  deadLetters: fc.integer({ min: 1, max: 20 }),
  deadLetterBytes: fc.integer({ min: 1000, max: 12_000 }),
});

const sizeOf = (n: number, length: number): number => Buffer.byteLength(JSON.stringify(letter(n, 'x'.repeat(length))));

/** The same store, kept in the simplest way that could be right. */
function model(
  steps: readonly Step[],
  limits: { deadLetters: number; deadLetterBytes: number },
  store: DeadLetters,
): void {
  let kept: { id: string; bytes: number }[] = [];
  let evicted = 0;
  let next = 0;
  for (const taken of steps) {
    if (taken.do === 'add') {
      const n = next++;
      kept.push({ id: `letter-${String(n)}`, bytes: sizeOf(n, taken.length) });
      while (
        kept.length > limits.deadLetters ||
        kept.reduce((sum, { bytes }) => sum + bytes, 0) > limits.deadLetterBytes
      ) {
        kept.shift();
        evicted += 1;
      }
      store.add(letter(n, 'x'.repeat(taken.length)));
    } else if (taken.do === 'remove') {
      const id = `letter-${String(taken.which % Math.max(1, next))}`;
      const there = kept.some((one) => one.id === id);
      kept = kept.filter((one) => one.id !== id);
      assert.equal(store.remove([id]), there ? 1 : 0);
    } else {
      assert.equal(store.discard(), kept.length);
      kept = [];
    }
    assert.deepEqual(
      store.ids(),
      kept.map(({ id }) => id),
    );
    assert.deepEqual(store.counts, { count: kept.length, capacity: limits.deadLetters, evicted });
  }
}

test('for any additions and removals the newest that fit are kept, and every other is counted', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), bounds, (steps, limits) =>
      model(steps, limits, new DeadLetters(limits)),
    ),
  );
});

test('what is kept is found again from disk, to the letter', async (t) => {
  const root = await temporaryFolder(t);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), bounds, async (steps, limits) => {
      const folder = join(root, String(run++));
      const { letters, close } = await openLetters(t, folder, { limits });
      model(steps, limits, letters);
      assert.equal(await close(), true);
      const again = await openLetters(t, folder, { limits });
      assert.deepEqual(again.letters.ids(), letters.ids());
      for (const id of letters.ids()) assert.deepEqual(again.letters.get(id), letters.get(id));
      assert.deepEqual(again.troubles, []);
      await again.close();
    }),
    { numRuns: 15 },
  );
});

test('bounds that were lowered between two lives push out the oldest, and count them', async (t) => {
  const folder = await temporaryFolder(t);
  const { letters, close } = await openLetters(t, folder);
  for (let n = 0; n < 10; n += 1) letters.add(letter(n));
  await close();
  const again = await openLetters(t, folder, { limits: { deadLetters: 3, deadLetterBytes: 1_000_000 } });
  assert.deepEqual(again.letters.ids(), ['letter-7', 'letter-8', 'letter-9']);
  assert.equal(again.letters.counts.evicted, 7);
});
