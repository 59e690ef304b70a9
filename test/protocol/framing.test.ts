// Lines are cut the same whatever the chunks they come in, and never cost more memory than their bound.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineCutter, asText, nestsDeeper } from '../../protocol/framing.ts';

type Seen = string | { readonly tooLong: true };

/** Whoever reads the bytes themselves may rely on the newline. */
function lineOf(bytes: Buffer, start: number, end: number): string {
  assert.equal(bytes[end], 0x0a);
  let line = '';
  asText((text) => (line = text))(bytes, start, end);
  return line;
}

function cut(chunks: readonly Buffer[], maxBytes: number): { seen: Seen[]; pendingBytes: number } {
  const seen: Seen[] = [];
  const cutter = new LineCutter(maxBytes, {
    line: (bytes, start, end) => seen.push(lineOf(bytes, start, end)),
    tooLong: () => seen.push({ tooLong: true }),
  });
  for (const chunk of chunks) cutter.push(chunk);
  return { seen, pendingBytes: cutter.pendingBytes };
}

/** What must come out, without any cleverness. */
function expected(text: Buffer, maxBytes: number): Seen[] {
  const parts = text.toString('latin1').split('\n');
  const rest = parts.pop() ?? '';
  const lines = parts.map((part) => Buffer.from(part, 'latin1')).filter((part) => part.length > 0);
  const seen: Seen[] = lines.map((part) => (part.length > maxBytes ? { tooLong: true } : part.toString('utf8')));
  return rest.length > maxBytes ? [...seen, { tooLong: true }] : seen;
}

function chunked(text: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cutAt) => cutAt % (text.length + 1)))].sort((one, other) => one - other);
  return [0, ...places].map((from, index) => text.subarray(from, places[index] ?? text.length));
}

const stream = fc
  .array(fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.constant(''), fc.constant('é漢😀'.repeat(9))), {
    maxLength: 12,
  })
  .chain((lines) =>
    fc.record({ text: fc.constant(Buffer.from(lines.join('\n'))), cuts: fc.array(fc.nat(), { maxLength: 30 }) }),
  );

test('any chunking of a stream gives the same lines', () => {
  fc.assert(
    fc.property(stream, fc.integer({ min: 1, max: 120 }), ({ text, cuts }, maxBytes) => {
      const whole = cut([text], maxBytes);
      const pieces = cut(chunked(text, cuts), maxBytes);
      assert.deepEqual(pieces, whole);
      assert.deepEqual(whole.seen, expected(text, maxBytes));
    }),
    { numRuns: 500 },
  );
});

test('whoever is not ready for a line gets it later, and nothing twice', () => {
  fc.assert(
    fc.property(stream, fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }), ({ text, cuts }, readiness) => {
      const seen: Seen[] = [];
      let asked = 0;
      const cutter = new LineCutter(120, {
        line: (bytes, start, end) => seen.push(lineOf(bytes, start, end)),
        tooLong: () => seen.push({ tooLong: true }),
        ready: () => readiness[asked++ % readiness.length] !== false || asked % 7 === 0,
      });
      for (const chunk of chunked(text, cuts)) {
        cutter.push(chunk);
        while (cutter.stopped) cutter.goOn();
      }
      assert.deepEqual({ seen, pendingBytes: cutter.pendingBytes }, cut([text], 120));
    }),
    { numRuns: 500 },
  );
});

test('a byte at a time is as good as all at once', () => {
  const text = Buffer.from('{"a":"é😀"}\n\nsecond\nunfinished');
  const bytes = [...text].map((byte) => Buffer.from([byte]));
  assert.deepEqual(cut(bytes, 100), { seen: ['{"a":"é😀"}', 'second'], pendingBytes: 10 });
});

test('a line that outgrows its bound is reported once and costs no more memory than the bound', () => {
  let reported = 0;
  const cutter = new LineCutter(64 * 1024, {
    line: () => assert.fail('there is no line'),
    tooLong: () => (reported += 1),
  });
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const before = process.memoryUsage().arrayBuffers;
  for (let sent = 0; sent < 4096; sent += 1) cutter.push(chunk);
  assert.equal(reported, 1);
  assert.equal(cutter.pendingBytes, 0);
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 * 1024 * 1024);
});

test('nesting is measured outside of texts, and a million opening brackets are refused at once', () => {
  assert.equal(nestsDeeper('['.repeat(129), 128), false, 'too short to close again: left to the parser');
  assert.equal(nestsDeeper('['.repeat(1_000_000), 128), true);
  const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  assert.equal(nestsDeeper(nested(128), 128), false);
  assert.equal(nestsDeeper(nested(129), 128), true);
  assert.equal(nestsDeeper(JSON.stringify({ text: '[{'.repeat(1000), quote: '\\"[[[['.repeat(99) }), 4), false);
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 1, max: 8 }), (value, maxDepth) => {
      const depth = (at: unknown): number =>
        typeof at === 'object' && at !== null ? 1 + Math.max(0, ...Object.values(at).map(depth)) : 0;
      assert.equal(nestsDeeper(JSON.stringify(value), maxDepth), depth(value) > maxDepth);
    }),
  );
});
