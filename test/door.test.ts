// A question that meets a thread at its end would take the daemon with it: neither side may miss the other.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { Door, doorWords } from '../protocol/cell/door.ts';

const words = (): Int32Array => new Int32Array(new SharedArrayBuffer(doorWords * 4));

test('whoever has left is not asked any more', () => {
  const shared = words();
  const host = new Door(shared);
  let asked = 0;
  assert.equal(host.ask(() => (asked += 1)), true);
  new Door(shared).leave();
  assert.equal(host.ask(() => (asked += 1)), false);
  assert.equal(asked, 1);
});

test('whoever leaves waits for a question that is just being put', async () => {
  const shared = words();
  const leaving = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const { workerData: { shared, leaving, door } } = require('node:worker_threads');
    import(door).then(({ Door }) => { new Door(shared).leave(); Atomics.store(leaving, 0, 2); Atomics.notify(leaving, 0); });`,
    { eval: true, workerData: { shared, leaving, door: new URL('../dist/protocol/cell/door.js', import.meta.url).href } },
  );
  const before = await new Promise<number>((resolve) => {
    worker.once('online', () => {
      new Door(shared).ask(() => {
        // It comes to its door meanwhile, and stays there.
        Atomics.wait(leaving, 0, 0, 400);
        resolve(Atomics.load(leaving, 0));
      });
    });
  });
  assert.equal(before, 0);
  await new Promise((resolve) => worker.once('exit', resolve));
  assert.equal(Atomics.load(leaving, 0), 2);
});

test('threads that end while they are being asked take nobody with them', async () => {
  const program = fileURLToPath(new URL('./fixtures/tools/host-that-asks.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program], { timeout: 100_000 });
  assert.equal(stdout, 'the host is done\n');
});
