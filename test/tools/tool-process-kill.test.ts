// A tool's process is ended hard, with everything it started.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { withTools, writtenIn } from '../labs/tool-lab.ts';
import { isGone } from '../labs/process-watch.ts';
import { until } from '../labs/until.ts';

const pidsIn = async (path: string): Promise<number[]> =>
  (await writtenIn(path))
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0);

test('a process that catches SIGTERM and loops is gone right after its deadline', async (context) => {
  const path = join(await temporaryFolder(context), 'pid');
  await withTools('faults', { isolation: 'process', limits: { toolThreads: 1 } }, async ({ call, refusal, tools }) => {
    assert.equal((await refusal('ignoreTerm', { path }, { timeoutMs: 1500 })).code, 'tool_timeout');
    const [pid] = await pidsIn(path);
    assert.ok(pid !== undefined, 'it ran');
    await until('it is gone', () => isGone(pid), 5000);
    assert.equal(await call('ok'), 'fine');
    await until('only the new one is left', () => tools.threads === 1);
  });
});

test(
  'what a process started does not survive its deadline',
  { skip: process.platform === 'linux' ? false : 'children are found through /proc' },
  async (context) => {
    const path = join(await temporaryFolder(context), 'pids');
    await withTools('faults', { isolation: 'process' }, async ({ call, refusal }) => {
      const refused = refusal('startChildren', { path }, { timeoutMs: 4000 });
      await until('child and grandchild run', async () => (await pidsIn(path)).length === 3);
      assert.equal((await refused).code, 'tool_timeout');
      const pids = await pidsIn(path);
      await until('all three are gone', () => pids.every((pid) => isGone(pid)), 5000);
      assert.equal(await call('ok'), 'fine');
    });
  },
);

test('close() leaves no process, looping or idle', async (context) => {
  const path = join(await temporaryFolder(context), 'pids');
  let pids: number[] = [];
  await withTools('faults', { isolation: 'process' }, async ({ call, refusal }) => {
    assert.equal(await call('ok'), 'fine');
    void refusal('ignoreTerm', { path });
    void refusal('startChildren', { path });
    await until('all of them run', async () => (await pidsIn(path)).length === 4);
    pids = await pidsIn(path);
  });
  await until('all of them are gone', () => pids.every((pid) => isGone(pid)), 5000);
});

test('a process that is killed from outside during a call is tool_crashed with its signal', async (context) => {
  const path = join(await temporaryFolder(context), 'pid');
  await withTools('faults', { isolation: 'process', limits: { toolThreads: 1 } }, async ({ call, refusal }) => {
    const refused = refusal('ignoreTerm', { path });
    await until('it runs', async () => (await pidsIn(path)).length === 1);
    const [pid] = await pidsIn(path);
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    const error = await refused;
    assert.equal(error.code, 'tool_crashed');
    assert.equal(error.details['signal'], 'SIGKILL');
    assert.equal(await call('ok'), 'fine');
  });
});
