// A service that fails whenever the daemon is started is left out at the fourth start, loudly, and comes back when
// somebody asks for it. A file of variables reaches plugins, and is read again with the configuration.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { StartFailures } from '../../daemon/host/start-failures.ts';
import type { Health } from '../../protocol/health.ts';
import { type ServedDaemon, serve } from '../labs/cli-process.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

const log = { info: () => {}, warn: () => assert.fail('the file can be written'), error: () => {} };

function stateFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'nagaya-starts-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const nextDaemon = (folder: string, counts = true): StartFailures =>
  new StartFailures({ stateFolder: folder, log: log as never, counts, nowMs: () => Date.UTC(2030, 0, 1) });

test('three starts in a row that fail leave a service out, whatever the guardian restarts', async (t) => {
  const folder = stateFolder(t);
  for (const counts of [true, false, true, false, true]) {
    const failures = nextDaemon(folder, counts);
    assert.equal(failures.leaveOut('a'), undefined);
    failures.failed('a', 'start_failed', 'no database');
    await failures.close();
  }
  const left = nextDaemon(folder);
  assert.match(
    left.leaveOut('a')?.inFull ?? '',
    /failed at the last 3 starts.*start_failed: no database.*nagaya start a/,
  );
  assert.deepEqual(
    left.leftOut.map(({ plugin }) => plugin),
    ['a'],
  );
  assert.equal(nextDaemon(folder, false).leaveOut('a')?.plugin, 'a', 'the guardian does not bring it back either');
  left.forget('a');
  assert.deepEqual(left.leftOut, []);
  await left.close();
  assert.equal(nextDaemon(folder).leaveOut('a'), undefined);
});

test('a start that succeeds, or that somebody asks for, begins a new count, and a damaged file counts nothing', async (t) => {
  const folder = stateFolder(t);
  const first = nextDaemon(folder);
  first.failed('a', 'start_failed', 'once');
  first.failed('b', 'start_failed', 'once');
  first.forget('a');
  await first.close();
  const second = JSON.parse(readFileSync(join(folder, 'start-failures.json'), 'utf8')) as { plugins: object };
  assert.deepEqual(Object.keys(second.plugins), ['b']);
  writeFileSync(join(folder, 'start-failures.json'), '{"plugins":{"b":{"starts":"many"}}}');
  assert.equal(nextDaemon(folder).leaveOut('b'), undefined);
});

const manifest = {
  schemaVersion: 1,
  id: 'test.needy',
  name: 'Needy',
  version: '1.0.0',
  entry: './index.js',
  env: ['NEEDY_DATABASE'],
  service: { ingresses: [{ name: 'in', kinds: ['x'] }], restart: { policy: 'never' } },
};
const code = `export const service = {
  start() { if (process.env.NEEDY_DATABASE === undefined) throw new Error('no database'); },
  handleIngress: () => process.env.NEEDY_DATABASE.length,
};`;

test('a daemon leaves it out and says so, and a file of variables, read again, lets it start', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin/plugin.json': manifest, 'plugin/index.js': code });
  const config = join(folder, 'nagaya.json');
  writeFileSync(config, JSON.stringify({ plugins: { folders: ['plugin'] } }));
  const env = { NAGAYA_STATE: join(folder, 'state') };
  const start = (): Promise<ServedDaemon> => serve(t, ['--config', config], { env });
  const end = async (daemon: ServedDaemon): Promise<void> => {
    daemon.running.child.kill('SIGTERM');
    await daemon.running.ended;
  };
  for (let starts = 0; starts < 3; starts += 1) {
    const daemon = await start();
    await until('it has failed', async () => (await daemon.nagaya(['health'])).stdout.includes('was given up'));
    await end(daemon);
  }
  const daemon = await start();
  await until('the daemon has started', async () => {
    const { reasons } = JSON.parse((await daemon.nagaya(['health', '--json'])).stdout) as Health;
    return reasons.length > 0 && reasons.every(({ code: reason }) => reason === 'left_out');
  });
  await daemon.running.says(/test\.needy is left out, because it failed at the last 3 starts/);
  assert.match((await daemon.nagaya(['status'])).stdout, /note +The service of test\.needy is left out/);
  assert.match((await daemon.nagaya(['explain', 'test.needy'])).stdout, /is left out.*no database/);

  writeFileSync(join(folder, 'secrets'), '# for plugins\nNEEDY_DATABASE="db one"\n', { mode: 0o600 });
  writeFileSync(config, JSON.stringify({ plugins: { folders: ['plugin'], envFile: 'secrets' } }));
  const { applied } = (await daemon.json(['reload-config'])) as { applied: string[] };
  assert.deepEqual(applied, ['plugins.envFile']);
  await daemon.json(['reload', 'test.needy']);
  await daemon.json(['start', 'test.needy']);
  const given = (await daemon.json(['deliver', 'test.needy', '{}'])) as { output: number };
  assert.equal(given.output, 'db one'.length);
  assert.equal((await daemon.nagaya(['health'])).code, 0);

  writeFileSync(join(folder, 'secrets'), 'NODE_OPTIONS=--inspect\n', { mode: 0o600 });
  const refused = await daemon.nagaya(['reload-config']);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /NODE_OPTIONS is not for plugins/);
  await end(daemon);
});

test('a broken configuration keeps the daemon from starting, or starts on the last good one where that is asked for', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, {
    'plugin/plugin.json': { ...manifest, env: [] },
    'plugin/index.js': 'export const service = { start() {}, handleIngress: () => null };',
  });
  const config = join(folder, 'nagaya.json');
  writeFileSync(config, JSON.stringify({ plugins: { folders: ['plugin'] }, limits: { subscriptions: 17 } }));
  const env = { NAGAYA_STATE: join(folder, 'state') };
  const first = await serve(t, ['--config', config], { env });
  first.running.child.kill('SIGTERM');
  await first.running.ended;
  writeFileSync(config, '{ "plugins": { "folder": [] } }');
  await assert.rejects(serve(t, ['--config', config], { env }));
  const second = await serve(t, ['--config', config, '--last-good'], { env });
  await second.running.says(/is broken \(plugins\.folder.*runs on the last good one/);
  const { daemon } = (await second.json(['status'])) as { daemon: { notes: string[]; limits: Record<string, number> } };
  assert.equal(daemon.limits['subscriptions'], 17);
  assert.match(daemon.notes.join(), /runs on the last good one/);
});
