// A question that meets a thread at its end would take the daemon with it: neither side may miss the other.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { InspectorGate, gateWords } from '../../protocol/cell/inspector-gate.ts';

const words = (): Int32Array => new Int32Array(new SharedArrayBuffer(gateWords * 4));

test('whoever has left is not asked any more', () => {
  const shared = words();
  const host = new InspectorGate(shared);
  let asked = 0;
  assert.equal(
    host.ask(() => (asked += 1)),
    true,
  );
  new InspectorGate(shared).leave();
  assert.equal(
    host.ask(() => (asked += 1)),
    false,
  );
  assert.equal(asked, 1);
});

test('whoever leaves waits for a question that is just being put', async () => {
  const shared = words();
  const stage = new Int32Array(new SharedArrayBuffer(4));
  const [asking, atTheGate, outside] = [1, 2, 3];
  // It comes to its gate while it is being asked, and not before.
  const worker = new Worker(
    `const { workerData: { shared, stage, atTheGate, outside, gate } } = require('node:worker_threads');
    import(gate).then(({ InspectorGate }) => {
      Atomics.wait(stage, 0, 0);
      Atomics.store(stage, 0, atTheGate);
      Atomics.notify(stage, 0);
      new InspectorGate(shared).leave();
      Atomics.store(stage, 0, outside);
      Atomics.notify(stage, 0);
    });`,
    {
      eval: true,
      workerData: {
        shared,
        stage,
        atTheGate,
        outside,
        gate: new URL('../../dist/protocol/cell/inspector-gate.js', import.meta.url).href,
      },
    },
  );
  const exit = once(worker, 'exit');
  await once(worker, 'online');
  let whileAsking = 0;
  const put = new InspectorGate(shared).ask(() => {
    Atomics.store(stage, 0, asking);
    Atomics.notify(stage, 0);
    Atomics.wait(stage, 0, asking, 10_000);
    Atomics.wait(stage, 0, atTheGate, 100);
    whileAsking = Atomics.load(stage, 0);
  });
  assert.equal(put, true);
  assert.equal(whileAsking, atTheGate);
  assert.deepEqual(await exit, [0]);
  assert.equal(Atomics.load(stage, 0), outside);
});

test('threads that end while they are being asked take nobody with them', async () => {
  const program = fileURLToPath(new URL('../fixtures/tools/host-that-asks.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program], { timeout: 100_000 });
  assert.equal(stdout, 'the host is done\n');
});
