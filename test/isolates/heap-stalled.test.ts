// A cell that has nothing to do and whose event loop does not turn is found and ended; one that is merely busy, or
// merely slow because the machine is, is not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pbkdf2Sync } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { cellLab } from '../labs/cell-lab.ts';

const limits = { stalledMs: 500 };

test('a cell that spins between events is ended as stalled, and the place is told', async (t) => {
  const files = {
    'index.js':
      'function spin() {\n  for (;;);\n}\nexport const service = { start() {}, handleIngress: () => { setTimeout(spin); return "armed"; } };\n',
  };
  const lab = await cellLab(t, { limits, files });
  assert.equal(await lab.run(''), 'armed');
  const end = await lab.ended;
  assert.equal(end.reason, 'stalled', JSON.stringify(end));
  assert.match(end.error.message, /nothing to do.*did not turn for.*blocked in index\.js:2:\d+, spin/);
});

test('a cell that spins in microtasks between events is ended as stalled', async (t) => {
  const lab = await cellLab(t, { limits });
  assert.equal(await lab.run('const again = () => queueMicrotask(again); setTimeout(again); return "armed"'), 'armed');
  assert.equal((await lab.ended).reason, 'stalled');
});

test('a cell whose thread is blocked in the operating system between events is ended as stalled', async (t) => {
  const lab = await cellLab(t, { limits: { ...limits, killMs: 2000 } });
  assert.equal(
    await lab.run('setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)); return "armed"'),
    'armed',
  );
  assert.equal((await lab.ended).reason, 'stalled');
});

test('a cell that works without rest and lets its event loop turn is left alone', async (t) => {
  // A cell tells of its turns every half second: a bound of just that would be passed by the working time of one turn.
  const lab = await cellLab(t, { limits: { stalledMs: 1500 } });
  await lab.run(
    'const again = () => { const until = performance.now() + 20; while (performance.now() < until); setImmediate(again); }; again(); return 1',
  );
  await new Promise((resolve) => setTimeout(resolve, 4000));
  assert.ok(!lab.isOver());
  assert.equal(await lab.run('return 2'), 2);
});

test("an event that takes longer than that is its deadline's affair, and an idle cell is left alone", async (t) => {
  const lab = await cellLab(t, { limits });
  assert.equal(
    await lab.run('const until = performance.now() + 2000; while (performance.now() < until); return "done"'),
    'done',
  );
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.ok(!lab.isOver());
});

test('a cell that gets no processor on a busy machine is not taken for one that is stuck', async (t) => {
  const lab = await cellLab(t, { limits });
  // More busy threads than processors, at a higher priority than the cell's.
  const spinners = Array.from({ length: 6 }, () => new Worker('for (;;);', { eval: true }));
  t.after(() => Promise.all(spinners.map((spinner) => spinner.terminate())));
  for (let n = 0; n < 8; n += 1) {
    pbkdf2Sync('a', 'b', 100_000, 32, 'sha256');
    assert.equal(
      await lab.run(
        'setTimeout(() => { const until = performance.now() + 100; while (performance.now() < until); }); return 1',
      ),
      1,
    );
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  assert.ok(!lab.isOver());
});

/** Code that answers, and does something more before the thread can come to its next message. */
const afterAnswer = (what: string): string =>
  `let left = 100; const soon = () => { left -= 1; if (left > 0) queueMicrotask(soon); else { ${what} } }; queueMicrotask(soon); return "answered"`;

test("a cell that spins while an event waits is ended once it has used that event's time in processor time", async (t) => {
  const lab = await cellLab(t, { spec: { spinMs: 300 }, limits: { stalledMs: 600_000 } });
  assert.equal(await lab.run(afterAnswer('for (;;);')), 'answered');
  lab.begin('return 1');
  const end = await lab.ended;
  assert.equal(end.reason, 'stalled', JSON.stringify(end));
  assert.match(end.error.message, /began no event although it had some.*\d s of processor time/);
});

test('a cell that only waits, or that spins for less, comes to the event that waits for it', async (t) => {
  const lab = await cellLab(t, { spec: { spinMs: 600 } });
  assert.equal(
    await lab.run(afterAnswer('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500)')),
    'answered',
  );
  assert.equal(await lab.run('return 1'), 1);
  assert.equal(
    await lab.run(afterAnswer('const until = performance.now() + 250; while (performance.now() < until);')),
    'answered',
  );
  assert.equal(await lab.run('return 2'), 2);
});
