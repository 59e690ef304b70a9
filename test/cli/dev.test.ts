// `nagaya dev` and `nagaya reload`: what is saved runs, what does not start changes nothing, and no event is lost.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { PluginFiles } from '../../daemon/cli/authoring/plugin-files.ts';
import { type ServedDaemon, fileCleanup, jsonLines, serve, temporaryFolder } from '../labs/cli-process.ts';

const file = fileCleanup();
let daemon: ServedDaemon;
before(async () => {
  daemon = await serve(file);
});

const entry = (answer: string): string =>
  `export const service = { start(ctx) { ctx.log.info('hello from ${answer}'); }, handleIngress: () => '${answer}' };\n`;

function pluginIn(folder: string, id: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'plugin.json'),
    JSON.stringify({
      schemaVersion: 1,
      id,
      name: id,
      version: '1.0.0',
      entry: './index.js',
      service: { ingresses: [{ name: 'in', kinds: ['any'] }] },
    }),
  );
  writeFileSync(join(folder, 'index.js'), entry('one'));
  return folder;
}

const answer = async (id: string): Promise<unknown> =>
  JSON.parse((await daemon.nagaya(['deliver', id, '{}'])).stdout) as unknown;

test('reload hands a running service over, and keeps the old one where the new one does not start', async (t) => {
  const folder = pluginIn(join(temporaryFolder(t), 'p'), 'test.reload');
  await daemon.json(['load', folder, '--start']);
  writeFileSync(join(folder, 'index.js'), entry('two'));
  assert.equal(await answer('test.reload'), 'one');
  assert.match(
    (await daemon.nagaya(['reload', 'test.reload'])).stdout,
    /^test\.reload 1\.0\.0 is reloaded; incarnation 2 has taken over/,
  );
  assert.equal(await answer('test.reload'), 'two');
  writeFileSync(join(folder, 'index.js'), 'export const service = {{{');
  const refused = await daemon.nagaya(['reload', 'test.reload']);
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /could not be imported/);
  assert.equal(await answer('test.reload'), 'two');
});

test("dev loads, starts and reloads at every save, shows the plugin's log, and unloads at the end what it loaded", async (t) => {
  const folder = pluginIn(join(temporaryFolder(t), 'p'), 'test.dev');
  const dev = daemon.start(['dev', folder], { timeoutMs: 120_000 });
  await dev.until('it watches', ({ stdout }) => stdout.includes('watching 2 files'));
  assert.match(dev.stdout(), /hello from one[^]*test\.dev 1\.0\.0 is loaded, incarnation 1 is running/);
  assert.equal(await answer('test.dev'), 'one');

  writeFileSync(join(folder, 'index.js'), entry('two'));
  await dev.until('it reloads', ({ stdout }) => stdout.includes('is reloaded, incarnation 2 is running'));
  assert.match(dev.stdout(), /index\.js changed/);
  await dev.until('the new code speaks', ({ stdout }) => stdout.includes('hello from two'));
  assert.equal(await answer('test.dev'), 'two');

  writeFileSync(join(folder, 'index.js'), 'export const service = {{{');
  await dev.until('the error is told', ({ stderr }) => stderr.includes('what ran before goes on'));
  await dev.says(/could not be imported/);
  assert.equal(await answer('test.dev'), 'two');

  // As many editors save: another file takes the name. And a new file in a new folder counts.
  writeFileSync(
    join(folder, 'index.js.new'),
    `import { answer } from './lib/answer.js';\n${entry('x').replace("'x' }", 'answer }')}`,
  );
  mkdirSync(join(folder, 'lib'));
  writeFileSync(join(folder, 'lib', 'answer.js'), "export const answer = 'three';\n");
  renameSync(join(folder, 'index.js.new'), join(folder, 'index.js'));
  await dev.until('the corrected one runs', ({ stdout }) =>
    /incarnation \d+ is running[^]*lib\/answer\.js[^]* changed[^]*incarnation \d+ is running/.test(stdout),
  );
  assert.equal(await answer('test.dev'), 'three');

  dev.child.kill('SIGINT');
  assert.equal((await dev.ended).code, 0);
  assert.match(dev.stdout(), /test\.dev is unloaded again/);
  assert.equal((await daemon.nagaya(['status', 'test.dev'])).code, 4);
});

test('dev waits for a plugin that is not valid yet, and brings a failed service back with the next save', async (t) => {
  const folder = pluginIn(join(temporaryFolder(t), 'p'), 'test.dev-broken');
  const manifest = readFileSync(join(folder, 'plugin.json'), 'utf8');
  writeFileSync(join(folder, 'plugin.json'), '{');
  const dev = daemon.start(['dev', folder, '--json'], { timeoutMs: 120_000 });
  await dev.until('it says what is wrong', ({ stdout }) => stdout.includes('"refused"'));
  writeFileSync(join(folder, 'index.js'), 'throw new Error("not yet")');
  writeFileSync(join(folder, 'plugin.json'), manifest);
  await dev.until('the start fails', ({ stdout }) => stdout.includes('start_failed'));
  writeFileSync(join(folder, 'index.js'), entry('corrected'));
  await dev.until('it runs', ({ stdout }) => stdout.includes('"lifecycle":"running"'));
  assert.equal(await answer('test.dev-broken'), 'corrected');
  assert.ok(jsonLines(dev.stdout()).every((record) => typeof (record as { event: string }).event === 'string'));
});

test('dev leaves loaded what was loaded before it came', async (t) => {
  const folder = pluginIn(join(temporaryFolder(t), 'p'), 'test.dev-guest');
  await daemon.json(['load', folder, '--start']);
  writeFileSync(join(folder, 'index.js'), entry('newer'));
  const dev = daemon.start(['dev', folder], { timeoutMs: 120_000 });
  await dev.until('it watches', ({ stdout }) => stdout.includes('watching'));
  assert.equal(await answer('test.dev-guest'), 'newer');
  dev.child.kill('SIGINT');
  assert.equal((await dev.ended).code, 0);
  assert.equal(await answer('test.dev-guest'), 'newer');
});

test('dev refuses a folder that is not there', async () => {
  const ran = await daemon.nagaya(['dev', '/nowhere/at/all']);
  assert.equal(ran.code, 2);
  assert.match(ran.stderr, /There is no folder/);
});

test('hidden files and node_modules are not looked at, and no more files than the bound', async (t) => {
  const folder = temporaryFolder(t);
  for (const path of ['node_modules/x', '.git', 'src']) mkdirSync(join(folder, path), { recursive: true });
  const files = new PluginFiles({ folder, lookMs: 10, maxFiles: 20 });
  t.after(() => files.stop());
  writeFileSync(join(folder, 'src', 'a.js'), '1');
  await files.begin();
  assert.deepEqual(files.watched, { files: 1, atLimit: false });
  const changed = files.changed();
  writeFileSync(join(folder, 'node_modules/x/a.js'), '1');
  writeFileSync(join(folder, '.git', 'index'), '1');
  writeFileSync(join(folder, '.a.js.swp'), '1');
  const first = await Promise.race([changed, new Promise((resolve) => setTimeout(resolve, 200, 'nothing'))]);
  assert.equal(first, 'nothing');
  writeFileSync(join(folder, 'src', 'b.js'), '1');
  assert.deepEqual(await changed, { paths: ['src/b.js'], total: 1 });
  for (let n = 0; n < 50; n += 1) writeFileSync(join(folder, `f${String(n)}.js`), '1');
  assert.ok(await files.changed());
  assert.deepEqual(files.watched, { files: 20, atLimit: true });
});
