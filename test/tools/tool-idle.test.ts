// Cells go when they are idle, and close() ends whatever there is within its deadline; nothing stays behind.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { isolations, withTools, writtenIn } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

const handles = (): string[] =>
  process
    .getActiveResourcesInfo()
    .filter((name) => name === 'MessagePort' || name === 'Worker' || name === 'ProcessWrap' || name === 'PipeWrap');

for (const isolation of isolations) {
  test(`idle ${isolation} cells go, and the next call brings a new one`, async () => {
    await withTools('plain', { isolation, limits: { toolIdleMs: 100 } }, async ({ call, tools }) => {
      await Promise.all([1, 2, 3].map((ms) => call('sleep', { ms })));
      await until('no cell is left', () => tools.threads === 0);
      assert.equal(await call('echo', 'again'), 'again');
      await until('no cell is left', () => tools.threads === 0);
    });
  });

  test(`close() answers what is pending, ends every ${isolation} cell, and leaves no handle`, async (context) => {
    const path = join(await temporaryFolder(context), 'looping');
    const before = handles();
    await withTools('plain', { isolation, limits: { toolThreads: 2 } }, async ({ tools, refusal }) => {
      const calls = ['loop', 'loop', 'sleep', 'echo', 'count'].map((tool) => refusal(tool, { ms: 60_000, path }));
      await until('one call loops', async () => (await writtenIn(path)) !== '');
      const beganMs = performance.now();
      await tools.close(5000);
      assert.ok(performance.now() - beganMs < 5500);
      for (const error of await Promise.all(calls)) assert.equal(error.code, 'tool_cancelled');
      assert.equal(tools.pending, 0);
      assert.equal(tools.threads, 0);
      assert.equal((await refusal('echo', 'late')).code, 'tool_cancelled', 'and takes no call any more');
    });
    await until('every handle is closed', async () => {
      await turn();
      return handles().length <= before.length;
    });
  });

  test(`a ${isolation} call that runs hears by its signal that its tools are closed, and is waited for no longer than it needs`, async (context) => {
    const path = join(await temporaryFolder(context), 'sleeping');
    await withTools('plain', { isolation, limits: { abortGraceMs: 40_000 } }, async ({ tools, refusal }) => {
      const sleeping = refusal('sleep', { ms: 60_000, path });
      await until('it sleeps', async () => (await writtenIn(path)) === 'began\n');
      const beganMs = performance.now();
      await tools.close(90_000);
      assert.match(await writtenIn(path), /^began\naborted: /);
      assert.ok(performance.now() - beganMs < 30_000, 'nobody waited for the whole grace');
      assert.equal((await sleeping).code, 'tool_cancelled');
      assert.equal(tools.threads, 0);
    });
  });

  test(`${isolation} cells that come and go by the dozen leave nothing behind`, async () => {
    const before = handles();
    await withTools('faults', { isolation, limits: { toolThreads: 2 } }, async ({ tools, refusal, call }) => {
      for (let round = 0; round < 12; round += 1)
        await Promise.all([refusal('exit'), refusal('throwInTimer'), call('ok')]);
      await until('only cells that can work are left', () => tools.threads <= 3);
    });
    await until('every handle is closed', async () => {
      await turn();
      return handles().length <= before.length;
    });
  });
}

test('close() does not wait beyond its deadline for a thread in native code', async () => {
  await withTools('plain', {}, async ({ tools, call, refusal }) => {
    await call('echo', 'warm');
    const stuck = refusal('nativeBlock', { rounds: 6_000_000 });
    await until('it runs', () => tools.pending === 1);
    await call('sleep', { ms: 100 });
    const beganMs = performance.now();
    await tools.close(200);
    assert.ok(performance.now() - beganMs < 2000);
    assert.equal((await stuck).code, 'tool_cancelled');
    await until('the thread is gone at last', () => tools.threads === 0, 60_000);
  });
});

test('a plugin whose tools are never called has no pool, and closes at once', async () => {
  await withTools('plain', {}, async ({ tools }) => {
    assert.equal(tools.threads, 0);
    await tools.close(1000);
    await tools.close(1000);
  });
});
