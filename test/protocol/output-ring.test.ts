// The memory in which a cell lays its answers: what goes in comes out, whole and in order, also round its end; and
// whatever else stands in it, the host reads it in bounded time and takes nothing that could not be an answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TextWriter } from '../../protocol/cell/text-writer.ts';
import { OutputRing, largestRingOutput } from '../../protocol/cell/output-ring.ts';

const writeText = Reflect.get(Buffer.prototype, 'utf8Write') as TextWriter;

const steps = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        length: fc.oneof(fc.nat(40), fc.nat(largestRingOutput / 2), fc.constant(largestRingOutput / 2)),
        letter: fc.constantFrom('a', 'é'),
      }),
    },
    { weight: 1, arbitrary: fc.constant('read' as const) },
  ),
  { maxLength: 120 },
);

test('what is written is read, in order, and a full ring says so instead of losing anything', () => {
  let refused = 0;
  fc.assert(
    fc.property(steps, (sequenceOfSteps) => {
      const written = new OutputRing();
      const read = new OutputRing(written.buffer);
      const expected: unknown[] = [];
      const found: unknown[] = [];
      let sequence = 0;
      for (const step of sequenceOfSteps) {
        if (step === 'read') {
          read.read((output) => found.push(output));
          assert.deepEqual(found, expected);
          continue;
        }
        sequence += 1;
        const output = { sequence, json: step.letter.repeat(step.length), durationMs: sequence / 4 };
        if (written.write(output, Buffer.byteLength(output.json), writeText)) expected.push(output);
        else refused += 1;
      }
      read.read((output) => found.push(output));
      assert.deepEqual(found, expected);
      assert.ok(written.write({ sequence, json: 'after', durationMs: 0 }, 5, writeText), 'an empty ring has room');
    }),
    { numRuns: 300 },
  );
  assert.ok(refused > 0, 'it was never full: the property proves little');
});

test('whatever stands in the memory, reading it ends', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          at: fc.nat(400),
          value: fc.oneof(fc.constantFrom(-1, 0, 24, 8, 65536, 2 ** 31 - 1), fc.integer()),
        }),
        { maxLength: 60 },
      ),
      fc.boolean(),
      (stores, asNumbers) => {
        const ring = new OutputRing();
        const words = new Int32Array(ring.buffer);
        const numbers = new Float64Array(ring.buffer);
        for (const { at, value } of stores) {
          if (asNumbers) numbers[at] = value;
          else words[at] = value;
        }
        let taken = 0;
        ring.read(({ json, durationMs }) => {
          taken += 1;
          assert.ok(json.length <= largestRingOutput && durationMs >= 0);
        });
        assert.ok(taken < 5000);
      },
    ),
    { numRuns: 2000 },
  );
});
