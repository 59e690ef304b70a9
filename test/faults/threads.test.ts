// The quick part of the faults kit, for services in threads; `nagaya faults --isolation thread` is the whole of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue } from '../../daemon/faults/catalogue.ts';
import { runKit } from '../../daemon/faults/kit.ts';
import { assertContained } from '../labs/faults-lab.ts';

const thread = { subject: 'service', isolation: 'thread' } as const;

test('a thread holds what never comes back, throws, exits, cannot be imported or patches what is shared', async () => {
  const report = await assertContained(thread, [
    'sync-loop',
    'endless-microtasks',
    'catastrophic-regex',
    'throw-null',
    'throw-getter',
    'late-throw',
    'removed-listeners',
    'function-result',
    'process-exit',
    'exit-listener-loop',
    'parent-port-close',
    'stdout-flood',
    'import-syntax',
    'import-loops',
    'patched-json',
    'patched-message-port',
    'event-mutation',
  ]);
  assert.ok(report.rows.every(({ verdict }) => verdict === 'contained'));
});

test('a thread is refused what would end the daemon, with an error that says what allows it', async () => {
  const report = await assertContained(thread, [
    'kill-kill',
    'native-segfault',
    'native-trap',
    'exec-sync',
    'nested-worker',
  ]);
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

test('a thread that takes memory outside every heap is ended for it', async () => {
  const report = await assertContained(thread, [
    'shared-memory',
    'shared-webassembly',
    'blobs',
    'unread-messages',
    'zlib-streams',
    'secret-keys',
  ]);
  for (const { id, answered, cause } of report.rows) {
    assert.equal(answered, 'cell_crashed', id);
    assert.match(cause, /limits\.rssMb allows 256 together/);
  }
});

test('a thread that leaks descriptors is ended or refused more, and one that fills the pool is given up', async () => {
  const { rows } = await assertContained(thread, ['leaked-sockets', 'leaked-folders', 'filled-pool']);
  assert.match(rows[0]?.cause ?? '', /limits\.descriptors allows 1000/);
  assert.equal(rows[1]?.verdict, 'denied');
  assert.equal(rows[2]?.answered, 'dispatch_timeout');
});

test(
  'what ends the daemon from a thread is contained by its guardian, which names the plugin',
  { skip: Number(process.versions.node.split('.')[0]) >= 26 && 'Node 26 survives it' },
  async () => {
    const { rows } = await assertContained(thread, ['sort-holes', 'killed-outside']);
    for (const { id, verdict, recoveredMs } of rows) {
      assert.equal(verdict, 'by the guardian', id);
      assert.ok((recoveredMs ?? 0) > 0, 'the time to be back is told');
    }
    assert.match(rows[0]?.cause ?? '', /by fault\.sort-holes, and was back after \d+ ms/);
  },
);

test('the kit also works under a guardian', async () => {
  const { places } = await runKit({
    faults: catalogue.filter(({ id }) => id === 'throw-null' || id === 'process-exit'),
    places: [thread],
    repeats: 0,
    guardian: true,
    progress: () => undefined,
  });
  assert.deepEqual(
    places[0]?.rows.map(({ verdict }) => verdict),
    ['contained', 'contained'],
  );
});

test('the daemon that is asked to end while a plugin loops leaves nothing', async () => {
  await assertContained(thread, ['daemon-sigterm']);
});
