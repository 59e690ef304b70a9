import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type PluginUnderTest, testPlugin } from 'nagaya/sdk';

let plugin: PluginUnderTest;
before(async () => {
  plugin = await testPlugin(import.meta.dirname);
});
after(() => plugin.close());

test('a title becomes words that can stand in an address', async () => {
  const slug = async (input: object): Promise<unknown> => (await plugin.call('slugify', input)).output;
  assert.deepEqual(await slug({ title: 'Crème brûlée & Co.' }), { slug: 'creme-brulee-and-co' });
  assert.deepEqual(await slug({ title: '  --  ' }), { slug: '' });
  assert.deepEqual(await slug({ title: 'One Two Three', separator: '_', maxLength: 8 }), { slug: 'one_two' });
});

test('a separator of another kind is refused', async () => {
  await assert.rejects(plugin.call('slugify', { title: 'x', separator: '/' }), { code: 'tool_input_invalid' });
});
