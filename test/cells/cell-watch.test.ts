// Every watched cell is looked at soon, whatever else comes and goes meanwhile: its memory could grow unseen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CellWatch, type WatchedCell } from '../../daemon/isolates/cell-watch.ts';

const still: WatchedCell = { look: () => false };
const patienceMs = 5000;
const oftenMs = 5;

test('cells that come and go without a pause do not put off the look at the others', async (t) => {
  const watch = new CellWatch();
  let looks = 0;
  const first: WatchedCell = { look: () => (looks += 1) > 0 };
  watch.add(first);
  t.after(() => watch.remove(first));
  const endMs = performance.now() + patienceMs;
  while (looks < 3 && performance.now() < endMs) {
    const other: WatchedCell = { ...still };
    watch.add(other);
    await sleep(oftenMs);
    watch.remove(other);
  }
  assert.ok(looks >= 3, `${String(looks)} looks`);
});

test('a cell that is added after all others have gone is looked at', async (t) => {
  const watch = new CellWatch();
  const gone: WatchedCell = { ...still };
  watch.add(gone);
  watch.remove(gone);
  const looked = new Promise<void>((resolve) => {
    const cell: WatchedCell = {
      look: () => {
        resolve();
        return false;
      },
    };
    watch.add(cell);
    t.after(() => watch.remove(cell));
  });
  assert.equal(
    await Promise.race([looked.then(() => 'looked'), sleep(patienceMs, 'not looked', { ref: true })]),
    'looked',
  );
});
