// The store in a process that is killed, that has no thread left in libuv's pool, or whose disk is full, read-only or
// broken.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { keysUnder, storeKey } from '../../protocol/store/change.ts';
import { storeLab, text } from '../labs/store-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

const script = join(import.meta.dirname, '..', 'labs', 'store-process.ts');
const command = (...args: readonly string[]): string[] => ['--import', 'tsx', script, ...args];
const everything = { from: '', to: 'z' };

test('what a process was told is stored is there after kill -9, at whatever moment', async (t) => {
  const stateFolder = join(await temporaryFolder(t), 'state');
  for (let round = 0; round < 3; round += 1) {
    const child = spawn(process.execPath, command(stateFolder, '100000', '300'), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let stored = -1;
    for await (const line of createInterface({ input: child.stdout })) {
      stored = Number(/^stored (\d+)$/.exec(line)?.[1] ?? stored);
      if (stored === 20 + round * 37) child.kill('SIGKILL');
    }
    const { store, told } = await storeLab(t, { stateFolder });
    assert.match(text(await store.kept.get('numbers', storeKey(stored))) ?? '', new RegExp(`^${String(stored)}\\.`));
    assert.ok((await store.kept.count('numbers', everything)) > stored);
    assert.equal((await store.kept.verify()).damagedCount, 0);
    assert.deepEqual(told, []);
    await store.close(10_000);
  }
});

test("the store opens and commits while reads that never end fill libuv's pool", async (t) => {
  const folder = await temporaryFolder(t);
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const { stdout } = spawnSync(process.execPath, command(join(folder, 'state'), '50', '300', 'fill-pool', fifo), {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(stdout.split('\n').filter((line) => line.startsWith('stored')).length, 50);
  assert.match(stdout, /closed\n$/);
});

const strace = spawnSync('strace', ['-f', '-e', 'trace=none', 'true']).status === 0;

test(
  'a sync of the disk has finished before each answer',
  { skip: strace ? false : 'strace is not here, or may not trace' },
  async (t) => {
    const folder = await temporaryFolder(t);
    const trace = join(folder, 'trace');
    spawnSync(
      'strace',
      [
        '-f',
        '-y',
        '-e',
        'trace=fdatasync,write',
        '-o',
        trace,
        process.execPath,
        ...command(join(folder, 'state'), '20'),
      ],
      { timeout: 120_000, stdio: 'ignore' },
    );
    let synced = 0;
    let answered = 0;
    for (const line of readFileSync(trace, 'utf8').split('\n')) {
      if (/fdatasync\(\d+<.*kept\.journal>\) += 0|<\.\.\. fdatasync resumed>.*= 0/.test(line)) synced += 1;
      if (!/write\(1<[^>]*>, "stored \d+/.test(line)) continue;
      answered += 1;
      assert.ok(synced > answered - 1, `answer ${String(answered)} came after ${String(synced)} syncs`);
    }
    assert.equal(answered, 20);
  },
);

test(
  'a sync that the disk fails is no answer; the store opens its files again and goes on',
  { skip: strace ? false : 'strace is not here, or may not trace' },
  async (t) => {
    const folder = await temporaryFolder(t);
    // The first few syncs are those of the opening. Strace counts them for each thread.
    const fault = 'inject=fdatasync:error=EIO:when=12';
    const { stdout, stderr } = spawnSync(
      'strace',
      ['-f', '-o', '/dev/null', '-e', fault, process.execPath, ...command(join(folder, 'state'), '30')],
      { encoding: 'utf8', timeout: 120_000 },
    );
    const failed = stdout.split('\n').filter((line) => line.startsWith('storage_failed'));
    assert.ok(failed.length >= 1 && failed.length < 30, stdout);
    assert.match(stdout, /stored 29\nclosed\n$/);
    assert.match(stderr, /opened again after a fault/);
    const { store } = await storeLab(t, { stateFolder: join(folder, 'state') });
    for (const line of stdout.split('\n').filter((answer) => answer.startsWith('stored')))
      assert.notEqual(await store.kept.get('numbers', storeKey(Number(line.slice(7)))), undefined);
  },
);

/** A small file system of the test's own; undefined where this user may not mount. */
function smallDisk(t: TestContext, sizeMb: number): string | undefined {
  const at = mkdtempSync(join(tmpdir(), 'nagaya-disk-'));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${String(sizeMb)}m`, 'none', at]).status !== 0) {
    rmdirSync(at);
    t.skip('this user may not mount');
    return undefined;
  }
  t.after(() => {
    spawnSync('umount', ['-l', at]);
    rmdirSync(at);
  });
  return at;
}

test('on a disk that is full, what fits is stored, the rest is refused with storage_full, and space makes it work again', async (t) => {
  const disk = smallDisk(t, 4);
  if (disk === undefined) return;
  const { store } = await storeLab(t, { stateFolder: join(disk, 'state') });
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, Buffer.alloc(2_000_000));
  const outcomes = [];
  for (let n = 0; n < 100; n += 1)
    outcomes.push(
      ...(await Promise.allSettled([
        store.commit([{ op: 'put', table: 'numbers', key: storeKey(n), value: 'x'.repeat(50_000) }]),
      ])),
    );
  const refused = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [outcome.reason as { code: string }] : [],
  );
  assert.ok(refused.length > 20 && refused.length < 95, `${String(refused.length)} of 100 were refused`);
  assert.deepEqual(new Set(refused.map(({ code }) => code)), new Set(['storage_full']));
  for (const [n, { status }] of outcomes.entries())
    assert.equal(
      (await store.kept.get('numbers', storeKey(n))) !== undefined,
      status === 'fulfilled',
      `number ${String(n)}`,
    );
  writeFileSync(ballast, '');
  await store.commit([{ op: 'put', table: 'numbers', key: 'after', value: 'x'.repeat(50_000) }]);
  assert.equal(store.health().fault, null);
});

test('a store on a disk that is mounted read-only is an outage that says so, and works once it can be written', async (t) => {
  const disk = smallDisk(t, 16);
  if (disk === undefined) return;
  const stateFolder = join(disk, 'state');
  const first = await storeLab(t, { stateFolder });
  await first.store.commit([{ op: 'put', table: 'numbers', key: storeKey('a', 1), value: '1' }]);
  await first.store.close(10_000);
  execFileSync('mount', ['-o', 'remount,ro', disk]);
  const { store } = await storeLab(t, { stateFolder });
  await assert.rejects(store.open(), { code: 'storage_failed', details: { reason: 'read_only' } });
  await assert.rejects(store.commit([{ op: 'put', table: 'numbers', key: 'b', value: '1' }]), {
    code: 'storage_failed',
  });
  execFileSync('mount', ['-o', 'remount,rw', disk]);
  await until('the store is open', () => store.health().state === 'open', 20_000);
  assert.equal(await store.kept.count('numbers', keysUnder('a')), 1);
});
