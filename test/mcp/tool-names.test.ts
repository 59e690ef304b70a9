// Names for MCP clients are of the safe form, at most 64 characters, and the same in every daemon.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fits } from '../../daemon/mcp/exposure.ts';
import { plainToolName, toolNames } from '../../protocol/mcp/tool-names.ts';

test('a name is the plugin and its tool, with what is not safe replaced', () => {
  assert.equal(plainToolName({ plugin: 'example.greeter', tool: 'greet' }), 'example_greeter__greet');
});

test('tools that would share a name all get a suffix, whatever their order', () => {
  const tools = [
    { plugin: 'a.b', tool: 'c' },
    { plugin: 'a_b', tool: 'c' },
    { plugin: 'a', tool: 'other' },
  ];
  const names = toolNames(tools);
  assert.match(names[0] ?? '', /^a_b__c_[0-9a-f]{8}$/);
  assert.match(names[1] ?? '', /^a_b__c_[0-9a-f]{8}$/);
  assert.equal(names[2], 'a__other');
  assert.deepEqual(toolNames(tools.toReversed()), names.toReversed());
});

test('names are distinct and of the form that clients take', () => {
  const part = (most: number) => fc.stringMatching(/^[a-z0-9][a-z0-9._-]*$/, { maxLength: most });
  const tools = fc.uniqueArray(fc.record({ plugin: part(128), tool: part(64) }), {
    selector: ({ plugin, tool }) => `${plugin}/${tool}`,
  });
  fc.assert(
    fc.property(tools, (given) => {
      const names = toolNames(given);
      for (const name of names) assert.match(name, /^[A-Za-z0-9_-]{1,64}$/);
      assert.equal(new Set(names).size, names.length);
    }),
  );
});

test('patterns of mcp.expose know one sign', () => {
  assert.ok(fits('*', 'anything'));
  assert.ok(fits('example.*/get*', 'example.files/getAll'));
  assert.ok(fits('a*b*c', 'axbxc'));
  assert.ok(!fits('a*b*c', 'acb'));
  assert.ok(!fits('ab*b', 'ab'));
  assert.ok(!fits('a.c', 'abc'), 'a dot is a dot');
});
