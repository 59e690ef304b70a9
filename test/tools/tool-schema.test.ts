// What a tool takes and gives is checked against its JSON Schemas inside its cell.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isolations, withTools } from '../labs/tool-lab.ts';

for (const isolation of isolations) {
  test(`an input or output that does not fit the schema of a ${isolation} tool is named by path`, async () => {
    await withTools('schemas', { isolation, limits: { toolThreads: 1 } }, async ({ call, refusal, failures }) => {
      assert.equal(await call('anything', 'first'), 'first');
      assert.deepEqual(await call('order', { items: [{ name: 'tea', count: 2 }, { name: 'cup' }] }), { total: 3 });

      const input = await refusal('order', { items: [{ name: 'tea', count: 0 }, {}], extra: 1 });
      assert.equal(input.code, 'tool_input_invalid');
      assert.deepEqual((input.details['issues'] as { path: string }[]).map(({ path }) => path).sort(), [
        'extra',
        'items[0].count',
        'items[1].name',
      ]);
      assert.equal(failures.length, 0, "a wrong input is not the plugin's fault");

      const output = await refusal('order', { items: [{ name: 'wrong' }] });
      assert.equal(output.code, 'tool_output_invalid');
      assert.deepEqual(output.details['issues'], [{ path: 'total', message: 'must be a number, but it is a text' }]);
      assert.deepEqual(
        failures.map(({ error }) => error.code),
        ['tool_output_invalid'],
      );

      assert.deepEqual(await call('anything', { any: ['thing'] }), { any: ['thing'] });
    });
  });
}

test('the output is checked as it will be sent: a date is a text there', async () => {
  await withTools('schemas', {}, async ({ call }) => {
    assert.deepEqual(await call('order', { items: [{ name: 'dated' }] }), { total: 1, at: '1970-01-01T00:00:00.000Z' });
  });
});

test("a schema that refuses everything refuses, and one that is none is the plugin's failure", async () => {
  await withTools('schemas', {}, async ({ refusal, call }) => {
    assert.equal((await refusal('refusesAll', 1)).code, 'tool_input_invalid');
    const bad = await refusal('badSchema', 1);
    assert.equal(bad.code, 'tool_failed');
    assert.match(bad.message, /inputSchema is not a JSON Schema/);
    assert.equal(await call('anything', 1), 1);
  });
});

test('a pattern that runs for ever is a timeout of that call, and the next call works', async () => {
  await withTools('schemas', { limits: { toolThreads: 1 } }, async ({ refusal, call }) => {
    assert.equal(await call('slowPattern', 'aaa'), 3);
    const error = await refusal('slowPattern', `${'a'.repeat(60)}!`, { timeoutMs: 300 });
    assert.equal(error.code, 'tool_timeout');
    assert.equal(error.details['phase'], 'checkingInput');
    assert.match(error.message, /look in its inputSchema for a pattern that takes too long/);
    assert.equal(await call('slowPattern', 'aaa'), 3);
  });
});
