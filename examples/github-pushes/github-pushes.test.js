import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testPlugin } from 'nagaya/sdk';

let plugin;
before(async () => {
  plugin = await testPlugin(import.meta.dirname);
});
after(() => plugin.close());

const push = {
  ref: 'refs/heads/main',
  repository: { full_name: 'ada/engine' },
  pusher: { name: 'ada' },
  commits: [{ id: '1' }, { id: '2' }],
};

test('makes a line of a push', async () => {
  const { output } = await plugin.emit('github', push);
  assert.deepEqual(output, { line: 'ada pushed 2 commits to main of ada/engine' });
  assert.deepEqual((await plugin.status()).reported.value.lines, [output.line]);
});

test('a payload that is no push never reaches the handler', async () => {
  await assert.rejects(plugin.emit('github', { zen: 'Keep it logically awesome.' }), { code: 'payload_invalid' });
});
