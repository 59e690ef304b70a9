// What holds for a worker's program in any cell, held by a thread; and what only a thread can do to its worker.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failed, profileCases } from '../labs/profile-cases.ts';
import { profileLab } from '../labs/profile-lab.ts';
import { until } from '../labs/until.ts';

profileCases('thread');

test('a thread that sits in native code is given up and counted, and the next input does not wait for it', async (t) => {
  const { host, worker } = await profileLab(t, {
    override: { profiles: { lab: { timeoutMs: 300 } } },
    limits: { killMs: 200 },
  });
  const lab = worker();
  // A second or more: long enough to outlast the ladder, and still an end.
  const end = await lab.run({ do: 'native', rounds: 2_000_000 });
  failed(end, 'dispatch_timeout');
  assert.equal(end.text, 'computing');
  assert.equal((await lab.run({ do: 'echo', text: 'goes on' })).text, 'goes on');
  await until('it is counted', () => lab.program.view().unkillable === 1);
  assert.equal(host.counts().unkillable, 1);
  await lab.program.close(10_000);
  assert.equal(host.leftover(), 1);
  await until('it is gone and no longer counted', () => host.counts().unkillable === 0);
  assert.deepEqual([lab.program.view().unkillable, host.leftover()], [0, 0]);
});

test('a worker whose thread ran out of memory goes on in a process, where its plugin asks for that', async (t) => {
  const lab = (await profileLab(t, { override: { limits: { heapMb: 48, escalate: 'process' } } })).worker();
  failed(await lab.run({ do: 'heap' }), 'cell_crashed');
  assert.equal((await lab.run({ do: 'echo', text: 'in a process' })).text, 'in a process');
  assert.equal(lab.program.view().isolation, 'process');
});
