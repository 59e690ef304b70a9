// The quick part of the faults kit, for tools: a fault ends its own call, the next one works, and no slot is lost.
import { test } from 'node:test';
import { assertContained } from '../labs/faults-lab.ts';

const everywhere = ['sync-loop', 'throw-null', 'process-exit', 'function-result', 'import-throws', 'patched-json'];

test('in a pool of threads', async () => {
  await assertContained({ subject: 'tool', isolation: 'pooled' }, [
    ...everywhere,
    'late-throw',
    'large-result',
    'removed-listeners',
    'kill-term',
    'import-never-ends',
    'heap-one-array',
    'buffers',
    'kill-converted',
    'foreign-descriptors',
    'damaged-cache',
    'read-device',
    'read-environ',
    'control-socket',
  ]);
});

test("in a thread of each call's own", async () => {
  await assertContained({ subject: 'tool', isolation: 'fresh' }, [...everywhere, 'heap-one-array', 'buffers']);
});

test('in a process', async () => {
  await assertContained({ subject: 'tool', isolation: 'process' }, [
    ...everywhere,
    'kill-kill',
    'native-segfault',
    'daemon-sigkill',
    'kill-converted',
    'control-socket',
  ]);
});
