// A schema that takes for ever to compile is told as such; the host that asked is not held up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemaIssues } from '../../daemon/isolates/schema-compilation.ts';
import { manifest } from '../../protocol/manifest.ts';

const withSchemas = (...inputSchemas: unknown[]) =>
  manifest.parse({
    schemaVersion: 1,
    id: 'a',
    name: 'A',
    version: '1.0.0',
    entry: './x.js',
    tools: inputSchemas.map((inputSchema, index) => ({ name: `t${String(index)}`, inputSchema })),
  });

/** That no two of them are the same takes a comparison of each with each; beside the time it takes nothing. */
const manyTypes = { type: Array.from({ length: 200_000 }, (_, at) => at) };

test('schemas that compile have no issues', async () => {
  assert.deepEqual(
    await schemaIssues(withSchemas({}, { type: 'object', properties: { a: { pattern: '^(a+)+$' } } }), 30_000),
    [],
  );
});

test('a schema that does not compile in time is named, and those before it are still told', async () => {
  const before = performance.now();
  const issues = await schemaIssues(withSchemas({ type: 'nothing' }, manyTypes, { type: 'string' }), 5000);
  assert.deepEqual(issues.map(({ path }) => path).slice(0, 1), ['tools[0].inputSchema']);
  assert.match(issues[1]?.message ?? '', /does not compile within 5000 ms/);
  assert.equal(issues[1]?.path, 'tools[1].inputSchema');
  assert.equal(issues.length, 2);
  assert.ok(performance.now() - before < 40_000);
});
