// A tool with process isolation gets a process of its own for every call: nothing that happens to one call is felt by
// another.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { withTools } from '../labs/tool-lab.ts';
import { isGone } from '../labs/process-watch.ts';
import { until } from '../labs/until.ts';

const childrenOf = (pid: number): number[] =>
  readdirSync(`/proc/${String(pid)}/task`)
    .flatMap((thread) =>
      readFileSync(`/proc/${String(pid)}/task/${thread}/children`, 'utf8')
        .split(' ')
        .map(Number),
    )
    .filter((child) => child > 0);

const pidOf = async (answer: Promise<unknown>): Promise<number> => ((await answer) as { pid: number }).pid;

test('every call of a process tool has a process of its own, which ends with the call', async () => {
  await withTools('plain', { isolation: 'process', limits: { toolThreads: 2 } }, async ({ call, tools }) => {
    const oneByOne = [await pidOf(call('where')), await pidOf(call('where')), await pidOf(call('where'))];
    const together = await Promise.all(Array.from({ length: 6 }, () => pidOf(call('where'))));
    const pids = [...oneByOne, ...together];
    assert.equal(new Set(pids).size, pids.length, pids.join(' '));
    await until('each has ended', () => pids.every((pid) => isGone(pid)));
    await until('one process is ready for the next call', () => tools.threads === 1);
  });
});

test('while calls come, a process is kept ready for the next one, and no longer', async () => {
  await withTools(
    'plain',
    { isolation: 'process', limits: { toolThreads: 1, toolIdleMs: 500 } },
    async ({ call, tools }) => {
      assert.equal(tools.threads, 0, 'none before the first call');
      await call('echo', 1);
      await until('one is ready', () => tools.threads === 1);
      await until('it ends when no call comes', () => tools.threads === 0);
      assert.equal(await call('echo', 2), 2);
    },
  );
});

test('a process that is kept ready and dies costs no call, and is told of where no call was given to it yet', async () => {
  await withTools('plain', { isolation: 'process', limits: { toolThreads: 1 } }, async ({ call, failures, tools }) => {
    for (let round = 0; round < 3; round += 1) {
      await call('echo', round);
      await until('one is ready', () => tools.threads === 1);
      for (const pid of childrenOf(process.pid)) process.kill(pid, 'SIGKILL');
      if (round === 1) await until('the death was told', () => failures.length === 1);
      assert.equal(await call('echo', 'next'), 'next');
    }
    assert.deepEqual(
      failures.map(({ error, callId }) => [error.code, callId]),
      [['tool_crashed', undefined]],
    );
  });
});

test('a call that is cancelled as its process answers takes no other call with it', async () => {
  await withTools('plain', { isolation: 'process', limits: { toolThreads: 2 } }, async ({ call, refusal }) => {
    const idle = new Int32Array(new SharedArrayBuffer(4));
    for (let round = 0; round < 8; round += 1) {
      assert.equal(await call('echo', 'warm'), 'warm');
      const controller = new AbortController();
      const cancelled = refusal('echo', 'first', { signal: controller.signal }).catch(() => undefined);
      // This one has to wait for a process.
      const innocent = call('echo', 'second');
      await new Promise((resolve) => setImmediate(resolve));
      // The first one's answer arrives while the host does something else, and is not read before the host ends the
      // process.
      Atomics.wait(idle, 0, 0, 15);
      controller.abort('the test');
      assert.equal(await innocent, 'second', `round ${String(round)}`);
      await cancelled;
    }
  });
});
