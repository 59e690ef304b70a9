// The state folder belongs to one daemon at a time, and a daemon that has stored nothing pays nothing for the store.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { put } from '../../protocol/store/change.ts';
import { type ServedDaemon, examplesFolder, jsonLines, nagaya, serve, temporaryFolder } from '../labs/cli-process.ts';
import { storeLab } from '../labs/store-lab.ts';
import { until } from '../labs/until.ts';

const isLinux = process.platform === 'linux';
/** It has no source, which would keep what it has seen. */
const greeter = join(examplesFolder, 'greeter');
const threadsOf = (pid: number): number => readdirSync(`/proc/${String(pid)}/task`).length;

const pidOf = (daemon: ServedDaemon): number => (jsonLines(daemon.running.stdout())[0] as { pid: number }).pid;

test('a second daemon on a state folder is refused with the process id of the first; after kill -9 the folder is free', async (t) => {
  const folder = temporaryFolder(t);
  const state = join(folder, 'state');
  const first = await serve(t, ['--state', state, '--no-guardian']);
  for (const guarding of [['--no-guardian'], []]) {
    const refused = await nagaya(t, ['serve', '--state', state, ...guarding, '--socket', join(folder, 's'), '--json']);
    const error = jsonLines(refused.stderr).at(-1) as { code: string; details: { pid: number } };
    assert.deepEqual([error.code, error.details.pid, refused.code], ['state_in_use', pidOf(first), 3]);
  }
  process.kill(pidOf(first), 'SIGKILL');
  await first.running.ended;
  const next = await serve(t, ['--state', state]);
  // Under a guardian the next daemon takes it over from the one that died.
  process.kill(pidOf(next), 'SIGKILL');
  await until('another daemon listens', () => jsonLines(next.running.stdout()).length === 2, 30_000);
  await next.json(['ping']);
});

test('what a daemon that was killed had not written to its end is removed by the next one, and nothing else', async (t) => {
  const state = join(temporaryFolder(t), 'state');
  mkdirSync(state);
  const half = join(state, 'config.last-good.json.80fa33cf245e0b6e.tmp');
  const others = [join(state, 'notes.tmp'), join(state, '.80fa33cf245e0b6e.tmp')];
  for (const path of [half, ...others]) writeFileSync(path, '{');
  await serve(t, ['--state', state, '--no-guardian']);
  assert.deepEqual(
    [half, ...others].map((path) => existsSync(path)),
    [false, true, true],
  );
});

test('a daemon whose state folder is removed while it runs keeps the folder for itself', async (t) => {
  const folder = temporaryFolder(t);
  const state = join(folder, 'state');
  const first = await serve(t, ['--state', state, '--no-guardian']);
  await first.json(['load', greeter]);
  rmSync(state, { recursive: true });
  // The next commit finds that its file is gone, and the store begins again.
  await until(
    'the daemon has its lock again',
    async () => {
      await nagaya(t, ['load', greeter, '--socket', first.socket]);
      await nagaya(t, ['unload', 'example.greeter', '--socket', first.socket]);
      return existsSync(join(state, 'lock'));
    },
    30_000,
  );
  const refused = await nagaya(t, ['serve', '--state', state, '--socket', join(folder, 's'), '--json']);
  const error = jsonLines(refused.stderr).at(-1) as { code: string; details: { pid: number } };
  assert.deepEqual([error.code, error.details.pid, refused.code], ['state_in_use', pidOf(first), 3]);
});

test(
  'a daemon that has stored nothing has no file of the store and no thread for it; one that finds the file has one more',
  { skip: isLinux ? false : 'threads are counted in /proc' },
  async (t) => {
    const folder = temporaryFolder(t);
    const empty = await serve(t, ['--state', join(folder, 'empty'), '--no-guardian', '--plugins', greeter]);
    assert.equal(existsSync(join(folder, 'empty', 'store')), false);
    const { store } = await storeLab(t, { stateFolder: join(folder, 'full') });
    await store.commit([put('q', 'k', 'v')]);
    await store.close(10_000);
    const full = await serve(t, ['--state', join(folder, 'full'), '--no-guardian', '--plugins', greeter]);
    await until(
      'the storekeeper is the one thread more',
      () => threadsOf(pidOf(full)) === threadsOf(pidOf(empty)) + 1,
      20_000,
    );
  },
);
