// What a thread answers through the inspector comes as an interrupt, in the middle of whatever the host just runs.
// Nothing of the host's may happen there: a timer cleared while Node itself was changing its timers once had the daemon
// loop for ever.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { begun, cellLab } from '../labs/cell-lab.ts';

/** Runs until the given time without ever letting go, as a long turn of the host does. */
function keepBusy(forMs: number): void {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs) JSON.parse('{"a":[1,2,3]}');
}

/** How many timers are cleared while this runs. */
function timersCleared(t: TestContext, act: () => void): number {
  const cleared = t.mock.method(globalThis, 'clearTimeout');
  act();
  cleared.mock.restore();
  return cleared.mock.callCount();
}

test('an answer that comes while the host is in the middle of something is taken after it', async (t) => {
  const lab = await cellLab(t, {
    files: { 'index.js': 'export const service = { start() {}, handleIngress() {\n  for (;;);\n} };\n' },
  });
  lab.begin('');
  await begun(lab);
  for (let round = 0; round < 5; round += 1) {
    const where = lab.cell.locate(10_000);
    // What is asked first is asked at once; its answer comes within the time that follows.
    assert.equal(
      timersCleared(t, () => keepBusy(200)),
      0,
      'a timer was cleared in an interrupt',
    );
    assert.equal((await where).kind, 'javascript');
  }
});
