// The operator's view of the store: what it holds, a backup that a daemon starts from, and a check of all that is
// stored.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { OperationResult } from '../../protocol/operations.ts';
import { examplesFolder, serve } from '../labs/cli-process.ts';

test('store status, backup and verify tell what is there, and a daemon starts from the backup with its plugins', async (t) => {
  const daemon = await serve(t, ['--no-guardian']);
  assert.equal(((await daemon.json(['store', 'status'])) as OperationResult<'store.status'>).state, 'unused');
  const none = await daemon.nagaya(['store', 'backup', join(daemon.folder, 'none'), '--json']);
  assert.equal(none.code, 4);
  await daemon.json(['load', join(examplesFolder, 'primes')]);
  const status = (await daemon.json(['store', 'status'])) as OperationResult<'store.status'>;
  assert.deepEqual(
    [status.state, status.fault, status.tables.find(({ table }) => table === 'plugins')?.entries],
    ['open', null, 1],
  );
  assert.match((await daemon.nagaya(['store', 'status'])).stdout, /plugins +yes +1/);
  assert.equal(((await daemon.json(['store', 'verify'])) as OperationResult<'store.verify'>).damagedCount, 0);
  const backup = join(daemon.folder, 'backup');
  assert.equal(((await daemon.json(['store', 'backup', backup])) as OperationResult<'store.backup'>).path, backup);
  assert.match((await daemon.nagaya(['doctor'])).stdout, /store/);
  const copy = await serve(t, ['--no-guardian', '--state', backup]);
  assert.deepEqual(
    ((await copy.json(['plugins'])) as OperationResult<'plugin.list'>).plugins.map(({ id }) => id),
    ['example.primes'],
  );
});
