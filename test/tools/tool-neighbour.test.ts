// A stuck tool changes nothing for the other tools of its plugin, in whatever isolation either runs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isolations, withTools } from '../labs/tool-lab.ts';

for (const isolation of isolations) {
  // Starting processes beside four that loop takes a small machine its time.
  const timeoutMs = isolation === 'process' ? 10_000 : 6000;
  test(`${isolation} tools answer while another tool has every thread in a loop`, async () => {
    await withTools('plain', { isolation, limits: { toolThreads: 2 } }, async ({ call, refusal, tools }) => {
      await call('echo', 'warm');
      const stuck = Promise.all([1, 2, 3, 4].map(() => refusal('loop', {}, { timeoutMs })));
      for (let turn = 0; turn < 3; turn += 1) {
        assert.deepEqual(
          await Promise.all([call('echo', turn), call('count'), call('sleep', { ms: 1 })]).then(([echoed, , slept]) => [
            echoed,
            slept,
          ]),
          [turn, 1],
        );
      }
      assert.equal(tools.pending, 4, 'the stuck calls are still pending');
      assert.deepEqual(
        (await stuck).map(({ code }) => code),
        ['tool_timeout', 'tool_timeout', 'tool_timeout', 'tool_timeout'],
      );
      assert.equal(await call('echo', 'after'), 'after');
    });
  });
}

test('a tool that is alone with its plugin gets no more threads than the bound', async () => {
  await withTools('plain', { limits: { toolThreads: 2 } }, async ({ call, tools }) => {
    const calls = Array.from({ length: 6 }, () => call('sleep', { ms: 150 }));
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, tools.threads)), 5);
    await Promise.all(calls);
    clearInterval(watch);
    assert.equal(most, 2);
  });
});
