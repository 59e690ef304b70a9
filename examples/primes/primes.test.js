import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testPlugin } from 'nagaya/sdk';

let plugin;
before(async () => {
  plugin = await testPlugin(import.meta.dirname);
});
after(() => plugin.close());

test('counts primes', async () => {
  const count = async (below) => (await plugin.call('primes', { below })).output;
  assert.deepEqual(await count(2), { count: 0, largest: null });
  assert.deepEqual(await count(3), { count: 1, largest: 2 });
  assert.deepEqual(await count(100), { count: 25, largest: 97 });
  assert.deepEqual(await count(1_000_000), { count: 78_498, largest: 999_983 });
});

test('names the largest in order', async () => {
  const { output } = await plugin.call('primes', { below: 30, list: 3 });
  assert.deepEqual(output, { count: 10, largest: 29, list: [19, 23, 29] });
});

test('an input that does not fit is refused by path', async () => {
  await assert.rejects(plugin.call('primes', { below: 'many' }), (error) => {
    assert.equal(error.code, 'tool_input_invalid');
    assert.equal(error.details.issues[0].path, 'below');
    return true;
  });
});

test('a call beyond its deadline is ended, and the next one works', async () => {
  await assert.rejects(plugin.call('primes', { below: 100_000_000 }, { timeoutMs: 30 }), { code: 'tool_timeout' });
  assert.equal((await plugin.call('primes', { below: 100 })).output.count, 25);
});
