// The quick form of `npm run soak -- --kills 200 --full`: the store has no room again and again, while daemons are
// killed.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { killSoak } from '../../scripts/soak/kills.ts';
import { canMount } from '../../scripts/soak/small-disk.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

const ways: readonly ('failpoint' | 'file system')[] = ['failpoint', 'file system'];

for (const full of ways)
  test(`a store that is full at random moments (${full}) loses nothing that was accepted, and what it refuses is told`, async (t) => {
    if (full === 'file system' && !canMount(join(await temporaryFolder(t), 'small'))) {
      t.skip('no small file system can be mounted here');
      return;
    }
    const report = await killSoak({
      kills: 3,
      services: 1,
      seed: 12,
      full,
      mostAccepted: 400,
      progress: () => undefined,
    });
    assert.deepEqual(report.faults, []);
    assert.ok(report.acknowledged > 0, 'nothing was accepted: the test proves nothing');
    // The store keeps room ahead in its file: a queue that does not grow meanwhile may not meet a disk that is full.
    // That one which does is refused is for test/store/reserved-space.test.ts.
    if (full === 'failpoint') assert.ok(report.refused > 0, 'nothing was refused: the disk was never full');
  });
