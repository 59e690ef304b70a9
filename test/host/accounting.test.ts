// What a plugin uses of the processor is told by the system's own figures, for threads, for processes and for what they
// start, and goes on counting over the lives of its cells.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import type { OperationResult } from '../../protocol/operations.ts';
import type { PluginUsage } from '../../protocol/usage.ts';
import { type ServedDaemon, fileCleanup, repository, serve } from '../labs/cli-process.ts';
import { until } from '../labs/until.ts';

const skip = existsSync('/proc/thread-self/stat') ? false : 'needs /proc';
const files = fileCleanup();
let daemon: ServedDaemon;

before(async () => {
  if (skip === false) daemon = await serve(files, ['--plugins', join(repository, 'test/fixtures/burners')]);
});

async function usageOf(plugin: string): Promise<PluginUsage> {
  const { plugins } = (await daemon.json(['top', '--once'])) as OperationResult<'usage.list'>;
  const usage = plugins.find((each) => each.plugin === plugin);
  assert.ok(usage);
  return usage;
}

async function deliver(plugin: string, kind: string, payload: object): Promise<number> {
  const asked = ['deliver', plugin, JSON.stringify(payload), '--ingress', 'work', '--kind', kind];
  const { output } = (await daemon.json(asked)) as { output: { usedMs: number } };
  return output.usedMs;
}

/** Within a twentieth, and what a few ticks of the system's clock and the cell's last moments are. */
function near(seconds: number, expectedMs: number, what: string): void {
  const offMs = Math.abs(seconds * 1000 - expectedMs);
  assert.ok(offMs <= expectedMs * 0.05 + 40, `${what}: told ${String(seconds * 1000)} ms of ${String(expectedMs)} ms`);
}

test('the processor time of a thread is told within a twentieth, and goes on after a restart', { skip }, async () => {
  const first = await deliver('test.burner', 'burn', { forMs: 800 });
  const told = await usageOf('test.burner');
  near(told.service?.cpuSeconds ?? 0, first, 'a thread');
  assert.ok((told.service?.heapUsedMb ?? 0) > 1);
  await daemon.json(['restart', 'test.burner']);
  const second = await deliver('test.burner', 'burn', { forMs: 400 });
  near((await usageOf('test.burner')).service?.cpuSeconds ?? 0, first + second, 'two incarnations');
});

test(
  'so is that of a process, of the children it has waited for, and of one that ended by itself',
  { skip },
  async () => {
    // What came before, such as a start that was tried again on a busy machine, is not what the cell knows of itself.
    const usedBefore = await deliver('test.burner-process', 'burn', { forMs: 0 });
    const before = (await usageOf('test.burner-process')).service?.cpuSeconds ?? 0;
    const used = await deliver('test.burner-process', 'burn', { forMs: 500, childMs: 700 });
    const told = (await usageOf('test.burner-process')).service;
    near((told?.cpuSeconds ?? 0) - before, used - usedBefore, 'a process with a child');
    assert.ok((told?.rssMb ?? 0) > 10);
    await daemon.nagaya(['deliver', 'test.burner-process', '{}', '--ingress', 'work', '--kind', 'exit']);
    await until(
      'the next incarnation',
      async () => {
        const { service } = await usageOf('test.burner-process');
        return service?.lifecycle === 'running' && service.restarts >= 1;
      },
      30_000,
    );
    const again = await deliver('test.burner-process', 'burn', { forMs: 300 });
    const all = (await usageOf('test.burner-process')).service;
    assert.ok((all?.cpuSeconds ?? 0) * 1000 >= used + again - 60, 'nothing of the first life is lost');
  },
);

for (const tool of ['pooled', 'fresh', 'alone']) {
  test(`calls of a tool that is ${tool} count for the tools of its plugin`, { skip }, async () => {
    const before = (await usageOf('test.burner')).tools;
    const { output } = (await daemon.json(['call', 'test.burner', tool, '{"forMs":600}'])) as {
      output: { usedMs: number };
    };
    assert.ok(output.usedMs >= 600);
    let told: PluginUsage['tools'] = null;
    await until('the figure', async () => {
      told = (await usageOf('test.burner')).tools;
      return (told?.cpuSeconds ?? 0) - (before?.cpuSeconds ?? 0) >= 0.58;
    });
    const calls = told as PluginUsage['tools'];
    assert.equal((calls?.calls['ok'] ?? 0) - (before?.calls['ok'] ?? 0), 1);
  });
}
