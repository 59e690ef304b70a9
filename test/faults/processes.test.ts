// The quick part of the faults kit, for services in processes; `nagaya faults --isolation process` is the whole of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertContained } from '../labs/faults-lab.ts';

const isolated = { subject: 'service', isolation: 'process' } as const;

test('a process holds what a thread holds', async () => {
  await assertContained(isolated, [
    'sync-loop',
    'throw-undefined',
    'late-rejection',
    'symbol-result',
    'kill-converted',
    'control-socket',
    'process-exit',
    'log-flood',
    'import-throws',
    'env-mutation',
  ]);
});

test('a process holds what no thread can: native calls, signals, crashes of native code', async () => {
  const report = await assertContained(isolated, [
    'pbkdf2-sync',
    'read-fifo',
    'kill-kill',
    'native-segfault',
    'process-abort',
    'heap-one-array',
    'buffers',
    'close-descriptors',
  ]);
  for (const { id, verdict } of report.rows) assert.equal(verdict, 'contained', id);
});

test('a process is ended for memory and descriptors that it takes, and shares no pool', async () => {
  const { rows } = await assertContained(isolated, ['shared-memory', 'leaked-sockets', 'filled-pool', 'sort-holes']);
  assert.match(rows[0]?.cause ?? '', /limits\.rssMb allows 256/);
  assert.match(rows[1]?.cause ?? '', /limits\.descriptors allows 1000/);
  for (const { id, verdict } of rows) assert.equal(verdict, 'contained', id);
});

test('no process outlives a daemon that was killed with -9', async () => {
  await assertContained(isolated, ['daemon-sigkill', 'daemon-sigterm']);
});
