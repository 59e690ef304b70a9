// The quick part of the faults kit, for services in threads; `nagaya faults --isolation thread` is the whole of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue } from '../../daemon/faults/catalogue.ts';
import { assertContained } from '../labs/faults-lab.ts';

const thread = { subject: 'service', isolation: 'thread' } as const;

test('a thread holds what never comes back, throws, exits, cannot be imported or patches what is shared', async () => {
  const report = await assertContained(thread, [
    'sync-loop', 'endless-microtasks', 'catastrophic-regex', 'throw-null', 'throw-getter', 'late-throw', 'removed-listeners', 'function-result',
    'process-exit', 'exit-listener-loop', 'parent-port-close', 'stdout-flood', 'import-syntax', 'import-loops', 'patched-json', 'patched-message-port', 'event-mutation',
  ]);
  assert.ok(report.rows.every(({ verdict }) => verdict === 'contained'));
});

test('a thread is refused what would end the daemon, with an error that says what allows it', async () => {
  const report = await assertContained(thread, ['kill-kill', 'native-segfault', 'native-trap', 'exec-sync', 'nested-worker']);
  for (const { id, verdict, cause } of report.rows) {
    assert.equal(verdict, 'denied', id);
    assert.match(cause, /is not allowed in a thread cell/);
  }
});

test('a thread is refused what goes past the guard of a single function', async () => {
  const ids = catalogue.filter(({ group, id }) => group === 'guard' && id !== 'collected-handles').map(({ id }) => id);
  const report = await assertContained(thread, ids);
  for (const { id, verdict } of report.rows) assert.equal(verdict, 'denied', id);
});

test('a thread that closes the numbers of collected file handles cuts nobody off', async () => {
  await assertContained(thread, ['collected-handles']);
});

test('a thread that takes memory is ended before the daemon is', async () => {
  await assertContained(thread, ['heap-arrays', 'heap-one-array', 'buffers']);
});

test('the daemon that is asked to end while a plugin loops leaves nothing', async () => {
  await assertContained(thread, ['daemon-sigterm']);
});
