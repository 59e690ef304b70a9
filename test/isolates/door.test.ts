// A question that meets a thread at its end would take the daemon with it: neither side may miss the other.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { Door, doorWords } from '../../protocol/cell/door.ts';

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
  const stage = new Int32Array(new SharedArrayBuffer(4));
  const [asking, atTheDoor, outside] = [1, 2, 3];
  // It comes to its door while it is being asked, and not before.
  const worker = new Worker(
    `const { workerData: { shared, stage, atTheDoor, outside, door } } = require('node:worker_threads');
    import(door).then(({ Door }) => {
      Atomics.wait(stage, 0, 0);
      Atomics.store(stage, 0, atTheDoor);
      Atomics.notify(stage, 0);
      new Door(shared).leave();
      Atomics.store(stage, 0, outside);
      Atomics.notify(stage, 0);
    });`,
    { eval: true, workerData: { shared, stage, atTheDoor, outside, door: new URL('../../dist/protocol/cell/door.js', import.meta.url).href } },
  );
  const exit = once(worker, 'exit');
  await once(worker, 'online');
  let whileAsking = 0;
  const put = new Door(shared).ask(() => {
    Atomics.store(stage, 0, asking);
    Atomics.notify(stage, 0);
    Atomics.wait(stage, 0, asking, 10_000);
    Atomics.wait(stage, 0, atTheDoor, 100);
    whileAsking = Atomics.load(stage, 0);
  });
  assert.equal(put, true);
  assert.equal(whileAsking, atTheDoor);
  assert.deepEqual(await exit, [0]);
  assert.equal(Atomics.load(stage, 0), outside);
});

test('threads that end while they are being asked take nobody with them', async () => {
  const program = fileURLToPath(new URL('../fixtures/tools/host-that-asks.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program], { timeout: 100_000 });
  assert.equal(stdout, 'the host is done\n');
});
