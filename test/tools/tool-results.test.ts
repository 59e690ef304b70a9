// What cannot be sent as JSON, or is too large, is a typed error by its path, made inside the cell.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HostError } from '../../protocol/errors.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import { resultJson } from '../../workers/tool-output.ts';
import { isolations, withTools } from '../labs/tool-lab.ts';

const mebibyte = 1024 * 1024;

const unsendable = [
  ['function', 'list[1].act', /is a function/],
  ['symbol', 'deep.mark', /is a symbol/],
  ['bigint', '[0]', /is a BigInt/],
  ['circular', 'next.back', /refers back/],
  ['map', 'seen', /is a Map/],
  ['promise', 'later', /await it/],
  ['getter', 'broken', /cannot look/],
] as const;

for (const isolation of isolations) {
  test(`a result of a ${isolation} tool that JSON cannot hold is refused by its path`, async () => {
    await withTools('results', { isolation }, async ({ call, refusal, failures }) => {
      for (const [kind, path, message] of unsendable) {
        const error = await refusal('make', { kind });
        assert.equal(error.code, 'tool_output_invalid', kind);
        const [issue] = error.details['issues'] as { path: string; message: string }[];
        assert.equal(issue?.path, path, kind);
        assert.match(issue.message, message, kind);
      }
      assert.equal(failures.length, unsendable.length);
      assert.equal(await call('make', { kind: 'undefined' }), null);
      assert.deepEqual(await call('make', { kind: 'dropped' }), { kept: 1, list: [null, 2] });
      assert.deepEqual(await call('make', { kind: 'dated' }), { at: '1970-01-01T00:00:00.000Z' });
      assert.equal(await call('make', { kind: 'text' }), 'line\nand "quotes" \u2028');
    });
  });

  test(`a result of a ${isolation} tool over its bound is refused before it is built, and one at the bound passes`, async () => {
    await withTools('results', { isolation, limits: { toolOutputBytes: mebibyte } }, async ({ call, refusal }) => {
      const error = await refusal('make', { kind: 'large', characters: mebibyte });
      assert.equal(error.code, 'payload_too_large');
      assert.deepEqual(
        { limit: error.details['limit'], maximum: error.details['maximum'], what: error.details['what'] },
        { limit: 'limits.toolOutputBytes', maximum: mebibyte, what: 'result' },
      );
      assert.equal(((await call('make', { kind: 'large', characters: mebibyte - 2 })) as string).length, mebibyte - 2);
      for (const kind of ['huge', 'sparse', 'buffer'])
        assert.equal((await refusal('make', { kind })).code, 'payload_too_large', kind);
      assert.equal(await call('make', { kind: 'undefined' }), null);
    });
  });
}

test('an input over its bound is refused before anything runs', async () => {
  await withTools('plain', { limits: { toolInputBytes: 2048 } }, async ({ refusal, tools, call }) => {
    const error = await refusal('echo', 'é'.repeat(1024));
    assert.equal(error.code, 'payload_too_large');
    assert.deepEqual(
      { ...error.details },
      { tool: 'echo', what: 'input', limit: 'limits.toolInputBytes', bytes: 2050, maximum: 2048 },
    );
    assert.equal(tools.threads, 0);
    assert.equal(await call('echo', 'é'.repeat(1023)), 'é'.repeat(1023));
  });
});

test('an input that is passed on as the text it came in is bound by its bytes without spaces', async () => {
  await withTools('plain', { limits: { toolInputBytes: 2048 } }, async ({ refusal, call }) => {
    const text = (characters: number): EncodedJson =>
      new EncodedJson(`[${' '.repeat(1000)}"${'\\u00e9'.repeat(characters)}"${' '.repeat(3000)}]`);
    assert.deepEqual(await call('echo', text(1022)), ['é'.repeat(1022)]);
    const error = await refusal('echo', text(1023));
    assert.deepEqual(
      { ...error.details },
      { tool: 'echo', what: 'input', limit: 'limits.toolInputBytes', bytes: 2050, maximum: 2048 },
    );
    assert.deepEqual(await call('echo', new EncodedJson('{ "a" : [ 1 , "é" ] }')), { a: [1, 'é'] });
  });
});

test('every JSON value is sent just as JSON.stringify writes it, and fits whenever its text fits', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const json = JSON.stringify(value);
      const bytes = Buffer.byteLength(json);
      assert.equal(resultJson(value, bytes), json);
      if (bytes > 1)
        assert.throws(
          () => resultJson(value, bytes - 1),
          (error) => error instanceof HostError && error.code === 'payload_too_large',
        );
    }),
  );
});

test('one value that stands in two places is no circle, and depth is bounded', () => {
  const shared = { a: 1 };
  assert.equal(resultJson([shared, shared, { shared }], 1000), '[{"a":1},{"a":1},{"shared":{"a":1}}]');
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level += 1) deep = [deep];
  assert.throws(
    () => resultJson(deep, mebibyte),
    (error) => error instanceof HostError && error.code === 'tool_output_invalid',
  );
});
