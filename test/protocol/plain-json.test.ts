// Whether bytes are one JSON value is told without a parser for what machines write: what is taken for JSON is JSON.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isPlainJson } from '../../protocol/json-bytes.ts';

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

test('what programs write is told apart from what is cut off or followed by something', () => {
  const values = [fc.string({ unit: 'grapheme' }), fc.integer(), fc.boolean(), fc.constant(null)];
  fc.assert(
    fc.property(fc.object({ maxDepth: 4, values }), (value) => {
      const bytes = Buffer.from(JSON.stringify(value));
      assert.equal(isPlainJson(bytes), true);
      assert.equal(isPlainJson(bytes.subarray(0, -1)), false);
      assert.equal(isPlainJson(Buffer.concat([bytes, Buffer.from(',')])), false);
    }),
    { numRuns: 300 },
  );
});

test('whatever is taken for JSON is JSON, however it was changed', () => {
  const bytes = fc.tuple(
    fc.json(),
    fc.nat(),
    fc.constantFrom('"', '\\', '{', ']', ',', ':', '0', '-', '.', '\n', 'u', '\u0000'),
  );
  fc.assert(
    fc.property(bytes, ([text, at, other]) => {
      const place = at % (text.length + 1);
      const changed = text.slice(0, place) + other + text.slice(place + 1);
      if (isPlainJson(Buffer.from(changed))) assert.ok(isJson(changed), changed);
    }),
    { numRuns: 2000 },
  );
});

test('what stands behind the bytes in the same memory is not looked at', () => {
  const memory = Buffer.from('{"a":[1,2]}');
  for (let end = 0; end < memory.length; end += 1) assert.equal(isPlainJson(memory.subarray(0, end)), false);
  assert.ok(isPlainJson(memory));
});

test('deep nesting is left to a parser', () => {
  const deep = (levels: number): Buffer => Buffer.from(`${'['.repeat(levels)}${']'.repeat(levels)}`);
  assert.ok(isPlainJson(deep(32)));
  assert.equal(isPlainJson(deep(33)), false);
  assert.equal(isPlainJson(deep(100_000)), false);
});
