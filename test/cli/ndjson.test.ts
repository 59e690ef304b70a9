// Lines of a stream in batches: every line once, in order, with the number an editor gives it, wherever chunks end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type NumberedLine, lineBatches } from '../../daemon/cli/ndjson.ts';

async function* chunksOf(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let index = 0; at < bytes.length; index += 1) {
    const size = sizes[index % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function collect(
  text: string,
  sizes: readonly number[],
  bounds: { count: number; length: number },
): Promise<NumberedLine[][]> {
  const batches: NumberedLine[][] = [];
  for await (const batch of lineBatches(chunksOf(Buffer.from(text), sizes), bounds)) batches.push(batch);
  return batches;
}

test('any text cut into any chunks gives its non-empty lines with their numbers, within the bounds', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.constant(''),
          fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll(/[\n\r]/g, ' ')),
        ),
        { maxLength: 30 },
      ),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 20 }),
      async (lines, sizes, count, length) => {
        const batches = await collect(lines.join('\n'), sizes, { count, length });
        const expected = lines
          .map((text, index) => ({ line: index + 1, text }))
          .filter(({ text }) => text.trim() !== '');
        assert.deepEqual(batches.flat(), expected);
        for (const batch of batches) {
          assert.ok(batch.length >= 1 && batch.length <= count);
          assert.ok(batch.length === 1 || batch.reduce((sum, { text }) => sum + text.length, 0) <= length);
        }
      },
    ),
  );
});

test('what has come is given out before the source gives more', async () => {
  let asked = 0;
  async function* slow(): AsyncGenerator<Buffer> {
    asked = 1;
    yield Buffer.from('1\n2\n3');
    asked = 2;
    yield Buffer.from('\n');
  }
  const batches = lineBatches(slow(), { count: 100, length: 100 });
  assert.deepEqual((await batches.next()).value, [
    { line: 1, text: '1' },
    { line: 2, text: '2' },
  ]);
  assert.equal(asked, 1);
  assert.deepEqual((await batches.next()).value, [{ line: 3, text: '3' }]);
});
