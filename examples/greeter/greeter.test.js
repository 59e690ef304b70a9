import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testPlugin } from 'nagaya/sdk';

let plugin;
before(async () => {
  plugin = await testPlugin(import.meta.dirname, { config: { salutation: 'Good morning' } });
});
after(() => plugin.close());

test('greets by name, in the words of its configuration', async () => {
  const { output, attempt } = await plugin.deliver({ name: 'Ada' });
  assert.deepEqual(output, { greeting: 'Good morning, Ada!' });
  assert.equal(attempt, 1);
});

test('a payload without a name never reaches the handler', async () => {
  await assert.rejects(plugin.deliver({ nom: 'Ada' }), { code: 'payload_invalid' });
});

test('every greeting is logged with who asked for it', async () => {
  await plugin.deliver({ name: 'Grace' }, { source: 'front-desk' });
  const line = (await plugin.logs()).find(({ msg, data }) => msg === 'greeted' && data.name === 'Grace');
  assert.equal(line?.data.source, 'front-desk');
});
