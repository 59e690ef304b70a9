// Plugins that were loaded at run time, and what was asked of their services, are there again when the daemon starts
// again.
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { OperationResult } from '../../protocol/operations.ts';
import {
  type Cleanup,
  type ServedDaemon,
  examplesFolder,
  jsonLines,
  serve,
  temporaryFolder,
} from '../labs/cli-process.ts';
import { awkwardPlugin } from '../labs/cli-plugin.ts';
import { until } from '../labs/until.ts';

type Listed = OperationResult<'plugin.list'>;

const greeter = join(examplesFolder, 'greeter');
const primes = join(examplesFolder, 'primes');
const pidOf = (daemon: ServedDaemon): number => (jsonLines(daemon.running.stdout()).at(-1) as { pid: number }).pid;

/** One daemon after the other on the same folder. */
function folderOfDaemons(t: Cleanup): {
  readonly folder: string;
  next(...args: readonly string[]): Promise<ServedDaemon>;
} {
  const folder = temporaryFolder(t);
  return { folder, next: (...args) => serve(t, ['--state', join(folder, 'state'), '--no-guardian', ...args]) };
}

async function end(daemon: ServedDaemon, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  process.kill(pidOf(daemon), signal);
  await daemon.running.ended;
}

const listed = async (daemon: ServedDaemon): Promise<Listed> => (await daemon.json(['plugins'])) as Listed;
const states = async (daemon: ServedDaemon): Promise<Record<string, string | null>> =>
  Object.fromEntries((await listed(daemon)).plugins.map(({ id, lifecycle }) => [id, lifecycle]));
const untilState = (daemon: ServedDaemon, id: string, state: string): Promise<void> =>
  until(`${id} is ${state}`, async () => (await states(daemon))[id] === state, 30_000);

test('a loaded plugin is there after kill -9, its service runs if it was started, and one that was loaded once is not', async (t) => {
  const { folder, next } = folderOfDaemons(t);
  const first = await next();
  await first.json(['load', greeter, '--start']);
  await first.json(['load', awkwardPlugin(join(folder, 'awkward'))]);
  const once = (await first.json(['load', primes, '--once'])) as { plugin: { remembered: boolean } };
  assert.equal(once.plugin.remembered, false);
  await end(first, 'SIGKILL');
  const second = await next();
  await untilState(second, 'example.greeter', 'running');
  assert.deepEqual(await states(second), { 'example.greeter': 'running', 'test.awkward': 'ready' });
  assert.deepEqual(
    (await listed(second)).plugins.map(({ remembered }) => remembered),
    [true, true],
  );
});

test('a service that was stopped stays stopped, also one from a folder, until somebody starts it; unload forgets', async (t) => {
  const { next } = folderOfDaemons(t);
  const counter = join(examplesFolder, 'webhook-counter');
  const first = await next('--plugins', counter);
  await first.json(['load', greeter, '--start']);
  await first.json(['stop', 'example.greeter']);
  await first.json(['stop', 'example.webhook-counter']);
  await end(first);
  const second = await next('--plugins', counter);
  assert.deepEqual(await states(second), { 'example.greeter': 'ready', 'example.webhook-counter': 'ready' });
  await second.json(['start', 'example.webhook-counter']);
  await second.json(['unload', 'example.greeter']);
  await end(second);
  const third = await next('--plugins', counter);
  await untilState(third, 'example.webhook-counter', 'running');
  assert.deepEqual(await states(third), { 'example.webhook-counter': 'running' });
});

test('a plugin whose folder is gone is listed as refused, stops nothing, comes back with its folder, and can be forgotten', async (t) => {
  const { folder, next } = folderOfDaemons(t);
  const awkward = awkwardPlugin(join(folder, 'awkward'));
  const first = await next();
  await first.json(['load', awkward]);
  await first.json(['load', greeter, '--start']);
  await end(first);
  renameSync(awkward, `${awkward}-gone`);
  const second = await next();
  await untilState(second, 'example.greeter', 'running');
  const { plugins, invalid } = await listed(second);
  assert.deepEqual(
    plugins.map(({ id }) => id),
    ['example.greeter'],
  );
  assert.equal(invalid[0]?.path, awkward);
  assert.match(JSON.stringify(invalid[0]?.issues), /nagaya unload test\.awkward/);
  await end(second);
  renameSync(`${awkward}-gone`, awkward);
  const third = await next();
  assert.ok('test.awkward' in (await states(third)));
  await end(third);
  renameSync(awkward, `${awkward}-gone`);
  const fourth = await next();
  await fourth.json(['unload', 'test.awkward']);
  assert.deepEqual((await listed(fourth)).invalid, []);
  await end(fourth);
  assert.deepEqual((await listed(await next())).invalid, []);
});

test('a store that cannot be written keeps nobody from loading, and the answer says that the plugin is not remembered', async (t) => {
  const { folder } = folderOfDaemons(t);
  const env = { NAGAYA_FAILPOINTS: 'store-full', NAGAYA_FAILPOINTS_IN_A_TEST: 'yes' };
  const daemon = await serve(t, ['--state', join(folder, 'state'), '--no-guardian'], { env });
  const { plugin } = (await daemon.json(['load', greeter])) as { plugin: { remembered: boolean } };
  assert.equal(plugin.remembered, false);
  assert.equal((await states(daemon))['example.greeter'], 'ready');
});
