import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testPlugin } from 'nagaya/sdk';

let plugin;
before(async () => {
  plugin = await testPlugin(import.meta.dirname, { config: { maxSources: 2 } });
});
after(() => plugin.close());

const webhook = (source, kind, delivery) => plugin.deliver({ headers: { 'x-delivery': delivery }, body: {} }, { source, kind });

test('counts by source and kind, a repeated delivery once, and keeps no more sources than it may', async () => {
  await webhook('forge-a', 'push', '1');
  await webhook('forge-b', 'issue', '2');
  await webhook('forge-a', 'push', '3');
  assert.deepEqual((await webhook('forge-a', 'push', '3')).output, { counted: false });
  assert.deepEqual((await webhook('forge-c', 'release', '4')).output, { counted: true, release: 1 });

  const { reported } = await plugin.status();
  assert.deepEqual(reported.value, { sources: { 'forge-a': { push: 2 }, 'forge-c': { release: 1 } }, repeated: 1, forgotten: 1 });
});

test('a restart begins with nothing counted', async () => {
  await webhook('forge-d', 'push', '5');
  const { incarnation } = await plugin.restart();
  assert.equal(incarnation, 2);
  assert.deepEqual((await plugin.status()).reported.value, { sources: {}, repeated: 0, forgotten: 0 });
});

test('a kind that is not declared is refused', async () => {
  await assert.rejects(webhook('forge-a', 'fork', '6'), { code: 'invalid_event' });
});
