// No process cell outlives its daemon: not when the daemon is killed, and what strange chance leaves behind is ended by
// the next one.
import assert from 'node:assert/strict';
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startChild } from '../../daemon/cells/process/cell-child.ts';
import { sweepOrphans } from '../../daemon/cells/process/orphan-sweep.ts';
import { identityOf, thisProcess } from '../../daemon/isolates/process-identity.ts';
import type { Client } from '../../protocol/client/client.ts';
import { isGone, untilGone } from '../labs/process-watch.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';

const lab = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));
const override = { isolation: 'process', timeouts: { handleMs: 60_000, startMs: 60_000 } };

async function daemonWithCell(t: TestContext): Promise<{ daemon: TestDaemon; client: Client; pid: number }> {
  const daemon = await startTestDaemon(t, {
    plugins: [lab],
    config: { plugins: { overrides: { 'test.lab': override } } },
  });
  const client = await daemon.connect();
  const { cell } = await client.call('service.status', { plugin: 'test.lab' });
  assert.ok(cell?.pid !== undefined);
  return { daemon, client, pid: cell.pid };
}

const tell = (client: Client, payload: object): Promise<{ output: unknown }> =>
  client.call('ingress.deliver', {
    plugin: 'test.lab',
    event: { ingress: 'work', kind: 'do', payload },
    timeoutMs: 60_000,
  });

for (const [state, deed] of [
  ['loops', { do: 'loop' }],
  ['waits', { do: 'hang' }],
  ['sits in native code', { do: 'execSync' }],
] as const) {
  test(`a daemon that is killed leaves no cell and nothing of its plugin, also while the plugin ${state}`, async (t) => {
    const { daemon, client, pid } = await daemonWithCell(t);
    const grandchild = Number((await tell(client, { do: 'grandchild' })).output);
    tell(client, deed).catch(() => {});
    while ((await client.call('service.status', { plugin: 'test.lab' })).inFlight === null) await sleep(5);
    assert.deepEqual([isGone(pid), isGone(grandchild)], [false, false]);
    daemon.signal('SIGKILL');
    await daemon.ended;
    await untilGone(pid, 10_000);
    await untilGone(grandchild, 10_000);
  });
}

test('a cell is on record while it lives, for nobody else to read, and no longer', async (t) => {
  const { daemon, client, pid } = await daemonWithCell(t);
  const folder = join(daemon.folder, 'state', 'cells');
  const record = JSON.parse(await readFile(join(folder, `${String(pid)}.json`), 'utf8')) as unknown;
  assert.deepEqual(record, { cell: identityOf(pid), daemon: identityOf(daemon.pid), name: 'test.lab' });
  await client.call('service.stop', { plugin: 'test.lab' });
  while ((await readdir(folder)).length > 0) await sleep(10);
});

/** A process of its own group, as a cell is. */
function leftBehind(t: TestContext): { readonly pid: number; readonly child: ChildProcess } {
  const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  return { pid: child.pid ?? 0, child };
}

async function swept(
  t: TestContext,
  record: object | string,
): Promise<{ readonly left: string[]; readonly told: string[] }> {
  const stateFolder = await temporaryFolder(t);
  await writeTree(stateFolder, { 'cells/1.json': typeof record === 'string' ? record : JSON.stringify(record) });
  const told: string[] = [];
  const log = {
    debug: () => {},
    info: () => {},
    warn: (_fields: unknown, message: string) => void told.push(message),
    error: () => {},
    child: () => log,
  };
  await sweepOrphans(stateFolder, log);
  return { left: await readdir(join(stateFolder, 'cells')), told };
}

const deadDaemon = { pid: 2 ** 22 + 1, start: 'another boot/1' };

test('a cell of a dead daemon is ended at the next start, and said', async (t) => {
  const { pid } = leftBehind(t);
  const { left, told } = await swept(t, { cell: identityOf(pid), daemon: deadDaemon, name: 'test.lab' });
  assert.deepEqual(left, []);
  assert.match(told[0] ?? '', /earlier daemon/);
  await untilGone(pid);
});

test("a tool's process of a dead daemon, which leads no group, is ended with its child", async (t) => {
  const tool = spawn('/bin/sh', ['-c', 'sleep 60 & echo $!; wait'], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => tool.kill('SIGKILL'));
  const [chunk] = (await once(tool.stdout, 'data')) as [Buffer];
  await swept(t, { cell: identityOf(tool.pid ?? 0), daemon: deadDaemon, name: 'test.lab' });
  await untilGone(tool.pid ?? 0);
  await untilGone(Number(chunk.toString()));
});

test('a process that has come by the number of a cell is left alone', async (t) => {
  const { pid } = leftBehind(t);
  for (const start of ['another boot/1', '']) {
    const { left, told } = await swept(t, { cell: { pid, start }, daemon: deadDaemon, name: 'test.lab' });
    assert.deepEqual([left, told], [[], []]);
  }
  assert.equal(isGone(pid), false);
});

test("a cell of a daemon that lives is that daemon's own", async (t) => {
  const { pid } = leftBehind(t);
  const { left } = await swept(t, { cell: identityOf(pid), daemon: thisProcess(), name: 'test.lab' });
  assert.deepEqual(left, ['1.json']);
  assert.equal(isGone(pid), false);
});

for (const [what, text] of [
  ['torn', '{"cell":{"pid":'],
  ['foreign', '{"cell":{"pid":1,"start":"x"},"daemon":{"pid":1,"start":"x"},"name":"init"}'],
  ['empty', ''],
] as const) {
  test(`a record that is ${what} is forgotten`, async (t) => {
    assert.deepEqual(await swept(t, text), { left: [], told: [] });
  });
}

test('a process cell whose watchdog ends without a word ends with it', async (t) => {
  const folder = await temporaryFolder(t);
  const workers = fileURLToPath(new URL('../../dist/workers', import.meta.url));
  await copyFile(join(workers, 'process-cell.js'), join(folder, 'process-cell.mjs'));
  await writeFile(join(folder, 'watchdog.js'), '');
  const boot = { title: 'cell', logBytesPerSecond: 1000, env: [], restricted: false, mayStartWorkers: false };
  const cell = fork(join(folder, 'process-cell.mjs'), [JSON.stringify(boot)], {
    execArgv: [],
    serialization: 'advanced',
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc', 'pipe'],
  });
  t.after(() => cell.kill('SIGKILL'));
  const [, signal] = (await once(cell, 'exit', { signal: AbortSignal.timeout(60_000) })) as [unknown, string | null];
  assert.equal(signal, 'SIGKILL');
});

for (const when of ['while it starts', 'when it is up'] as const) {
  test(`a cell whose watchdog hears nothing ends by the channel to its daemon: that closes ${when}`, async (t) => {
    const folder = await temporaryFolder(t);
    const cell = startChild({
      isolation: 'process',
      name: 'test.orphan',
      folder,
      env: {},
      execArgv: [],
      heapMb: 64,
      rssMb: 256,
      descriptors: 256,
      logBytesPerSecond: 1000,
      beginWithinMs: 1000,
      spinMs: 1000,
    });
    t.after(() => cell.kill('SIGKILL'));
    const ended = once(cell, 'exit');
    if (when === 'when it is up') await once(cell, 'message');
    // The watchdog's pipe stays open, as if another process had it too.
    cell.disconnect();
    assert.deepEqual(await ended, [null, 'SIGKILL']);
  });
}
