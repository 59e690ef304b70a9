// The file of the store is made longer before the engine writes into it, so that no write of the engine finds the disk
// full: on a small file system that is filled, where one may be mounted.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SmallDisk, canMount } from '../../scripts/soak/small-disk.ts';
import { put } from '../../protocol/store/change.ts';
import { ReservedSpace } from '../../workers/store/reserved-space.ts';
import { storeLab, text } from '../labs/store-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

test('a file is made longer by what is asked for and more, and never shorter', async (t) => {
  const path = join(await temporaryFolder(t), 'file');
  writeFileSync(path, 'begins');
  const space = new ReservedSpace(path);
  t.after(() => space.close());
  space.reserve(100_000);
  const { size } = statSync(path);
  assert.ok(size >= 100_000 + 1024 * 1024 && space.to === size);
  space.reserve(50_000);
  assert.equal(statSync(path).size, size);
});

test('a store on a full file system refuses in words, harms nothing, and goes on when there is room', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nagaya-small-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  if (!canMount(join(folder, 'trial'))) {
    remove();
    t.skip('no small file system can be mounted here');
    return;
  }
  const disk = new SmallDisk(join(folder, 'small'));
  const { store } = await storeLab(t, { stateFolder: join(folder, 'small') });
  // After the store has been closed.
  t.after(() => {
    disk.end();
    remove();
  });
  await store.commit([put('q', 'first', 'v')]);
  const large = 'x'.repeat(200_000);
  for (let round = 0; round < 2; round += 1) {
    disk.fill();
    let refused = 0;
    for (let n = 0; n < 10; n += 1) {
      try {
        await store.commit([
          put('q', `${String(round)}-${String(n)}`, large),
          put('q', `small-${String(n)}`, String(round)),
        ]);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'storage_full');
        refused += 1;
      }
    }
    assert.ok(refused > 0, 'the disk was not full');
    disk.release();
    await store.commit([put('q', `after-${String(round)}`, large)]);
  }
  assert.equal(text(await store.kept.get('q', 'first')), 'v');
  assert.equal((await store.kept.verify()).damagedCount, 0);
  assert.equal(store.health().counters.ends, 0);
});
