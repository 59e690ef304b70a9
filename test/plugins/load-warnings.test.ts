// What an author should be told without asking: declared environment variables that are not set, overrides that hit
// nothing, tools that cannot be imported; and a start that failed can be done again.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nagaya, serve, startCommand, temporaryFolder } from '../labs/cli-process.ts';
import { until } from '../labs/until.ts';
import { writePlugin } from '../labs/written-plugin.ts';

const service = { ingresses: [{ name: 'in', kinds: ['any'] }] };
const good = 'export const service = { start() {}, handleIngress() { return "fine"; } };\n';
const unset = /env: WRITTEN_TOKEN is declared and is not set/;

test('a declared environment variable that is not set is told by check, load, status and doctor, and the plugin starts', async (t) => {
  const folder = writePlugin(join(temporaryFolder(t), 'p'), {
    manifest: { env: ['WRITTEN_TOKEN', 'WRITTEN_SET'], service },
    files: { 'index.js': good },
  });
  const daemon = await serve(t, [], { env: { WRITTEN_SET: 'set' } });
  const checked = await nagaya(t, ['check', folder], { env: { WRITTEN_SET: '' } });
  assert.deepEqual(
    [checked.code, unset.test(checked.stdout), checked.stdout.includes('WRITTEN_SET')],
    [0, true, false],
  );
  const loaded = await daemon.nagaya(['load', folder, '--start']);
  assert.equal(loaded.code, 0);
  assert.match(loaded.stdout, /is loaded and running/);
  assert.match(loaded.stderr, unset);
  assert.match((await daemon.nagaya(['status', 'test.written'])).stdout, unset);
  assert.match((await daemon.nagaya(['plugins'])).stderr, unset);
  const doctor = await daemon.nagaya(['doctor']);
  assert.match(doctor.stdout, unset);
  assert.doesNotMatch(doctor.stdout, /WRITTEN_SET/);
});

test('an override for a plugin that is not loaded is told by log, status and doctor, with the id that it may mean', async (t) => {
  const folder = temporaryFolder(t);
  writePlugin(join(folder, 'p'), { manifest: { service }, files: { 'index.js': good } });
  const config = join(folder, 'nagaya.json');
  writeFileSync(
    config,
    JSON.stringify({
      plugins: {
        folders: [join(folder, 'p')],
        overrides: { 'test.writen': { autostart: false }, 'test.written': { autostart: false } },
      },
    }),
  );
  const daemon = await serve(t, ['--config', config]);
  const told = /plugins\.overrides\.test\.writen: no plugin with this id is loaded; did you mean "test\.written"\?/;
  assert.match((await daemon.nagaya(['status'])).stdout, told);
  assert.match((await daemon.nagaya(['doctor', '--config', config])).stdout, told);
  await until('the log tells it', () => told.test(daemon.running.stderr().replaceAll('\\"', '"')));
  assert.doesNotMatch((await daemon.nagaya(['status'])).stdout, /overrides\.test\.written:/);
});

for (const [what, manifest] of [
  ['tools in threads', { tools: [{ name: 'a', description: 'a' }] }],
  ['tools in processes', { tools: [{ name: 'a', description: 'a', isolation: 'process' }] }],
  ['profiles', { profiles: [{ name: 'a', description: 'a' }], isolation: 'process' }],
] as const) {
  test(`a plugin with ${what} that cannot be imported is refused by load and dev, and can be loaded once it is corrected`, async (t) => {
    const folder = join(temporaryFolder(t), 'p');
    const daemon = await serve(t);
    for (const [fault, told] of [
      ['const a = ;\n', /index\.js:1:11: Unexpected token/],
      ['throw new Error("no licence");\n', /index\.js:1:7: no licence/],
    ] as const) {
      writePlugin(folder, { manifest, files: { 'index.js': fault } });
      const loaded = await daemon.nagaya(['load', folder]);
      assert.equal(loaded.code, 4);
      assert.match(loaded.stderr, told);
      assert.deepEqual(((await daemon.json(['plugins'])) as { plugins: unknown[] }).plugins, []);
    }
    const dev = startCommand(t, ['dev', folder], { env: { NAGAYA_SOCKET: daemon.socket } });
    await dev.until('dev to refuse it', ({ stderr }) => /index\.js:1:7: no licence/.test(stderr));
    assert.doesNotMatch(dev.stdout(), /is loaded/);
    dev.child.kill('SIGINT');
    await dev.ended;
    writePlugin(folder, {
      manifest,
      files: {
        'index.js': 'export const tools = { a: () => "fine" }; export const profiles = { a: { onInput() {} } };\n',
      },
    });
    assert.equal((await daemon.nagaya(['load', folder])).code, 0);
    writePlugin(folder, { manifest, files: { 'index.js': 'const a = ;\n' } });
    assert.match((await daemon.nagaya(['reload', 'test.written'])).stderr, /index\.js:1:11: Unexpected token/);
    assert.equal(((await daemon.json(['plugins'])) as { plugins: unknown[] }).plugins.length, 1);
  });
}

test('after a failed load --start the same command works, and so does reload, once the plugin is corrected', async (t) => {
  const folder = join(temporaryFolder(t), 'p');
  const daemon = await serve(t);
  const write = (source: string): string =>
    writePlugin(folder, { manifest: { service }, files: { 'index.js': source } });
  write(`${good}const a = ;\n`);
  assert.equal((await daemon.nagaya(['load', folder, '--start'])).code, 4);
  assert.match((await daemon.nagaya(['load', folder, '--start'])).stderr, /index\.js:2:11: Unexpected token/);
  write(good);
  const again = await daemon.nagaya(['load', folder, '--start']);
  assert.deepEqual([again.code, again.stdout], [0, 'test.written 1.0.0 is loaded and running\n']);
  assert.match((await daemon.nagaya(['load', folder, '--start'])).stderr, /is loaded already/);

  await daemon.nagaya(['unload', 'test.written']);
  write('export const service = { start() { throw new Error("no"); }, handleIngress() {} };\n');
  assert.equal((await daemon.nagaya(['load', folder, '--start'])).code, 4);
  write(good);
  const reloaded = await daemon.nagaya(['reload', 'test.written']);
  assert.equal(reloaded.code, 0, reloaded.stderr);
  assert.match((await daemon.nagaya(['deliver', 'test.written', '{}'])).stdout, /fine/);

  const restarted = await daemon.nagaya(['restart', 'test.written']);
  assert.match(restarted.stderr, /plugin\.json was not read again; `nagaya reload test\.written` does that/);
  assert.match((await daemon.nagaya(['restart', '--help'])).stdout, /plugin\.json is not read again/);
});

test('help prints the help of the command that is named, and an unknown command is an error with exit code 2', async (t) => {
  const send = await nagaya(t, ['help', 'worker', 'send']);
  assert.equal(send.code, 0);
  assert.match(send.stdout, /^Usage: nagaya worker send/);
  assert.match((await nagaya(t, ['help', 'status'])).stdout, /^Usage: nagaya status/);
  assert.match((await nagaya(t, ['help'])).stdout, /^Usage: nagaya \[options\]/);
  for (const [args, told] of [
    [['help', 'stauts'], /unknown command 'stauts'\.\n {2}remedy: Did you mean status\?/],
    [['stauts', '--help'], /unknown command 'stauts'/],
    [['help', 'worker', 'sent'], /unknown command 'sent'\.\n {2}remedy: Did you mean send\?/],
    [['worker', 'sent', '--help'], /unknown command 'sent'/],
    [['qqqqqqqq'], /unknown command 'qqqqqqqq'/],
  ] as const) {
    const ran = await nagaya(t, args);
    assert.deepEqual([ran.code, ran.stdout], [2, ''], args.join(' '));
    assert.match(ran.stderr, told);
  }
});
