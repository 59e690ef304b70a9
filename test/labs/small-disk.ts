// A small file system of a test's own, which it may fill.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { SmallDisk, canMount } from '../../scripts/soak/small-disk.ts';

export interface MountedDisk {
  readonly disk: SmallDisk;
  /** Where it is mounted. */
  readonly folder: string;
  /** On the usual disk. */
  readonly beside: string;
}

/** Undefined, with the test skipped, where this user may not mount. */
export function mountSmallDisk(t: TestContext): MountedDisk | undefined {
  const beside = mkdtempSync(join(tmpdir(), 'nagaya-small-'));
  const remove = (): void => rmSync(beside, { recursive: true, force: true });
  if (!canMount(join(beside, 'trial'))) {
    remove();
    t.skip('no small file system can be mounted here');
    return undefined;
  }
  const folder = join(beside, 'small');
  const disk = new SmallDisk(folder);
  t.after(() => {
    disk.end();
    remove();
  });
  return { disk, folder, beside };
}
