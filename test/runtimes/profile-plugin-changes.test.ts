// What a plugin's unload and reload mean for the workers that run its profiles, and what is told of a profile that
// cannot be run.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import { failed } from '../labs/profile-cases.ts';
import { type LabSetting, type ProfileLab, labId, profileLab } from '../labs/profile-lab.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

const manifestOf = (profiles: readonly object[]): object => ({
  schemaVersion: 1,
  id: 'a',
  name: 'A',
  version: '1.0.0',
  entry: './index.js',
  profiles,
});
const saying = (text: string): string =>
  `export const profiles = { one: { onInput(_, ctx) { ctx.say(${JSON.stringify(text)}); } }, two: { onInput() {} } };`;

async function ownPlugin(
  t: TestContext,
  source: string,
  profiles: readonly object[] = [{ name: 'one' }],
  setting: LabSetting = {},
): Promise<{ readonly lab: ProfileLab; write(files: Record<string, unknown>): Promise<void> }> {
  const folder = await temporaryFolder(t);
  // A plugin that cannot be imported is refused when it is loaded; here it is changed afterwards, as by a broken save.
  await writeTree(folder, {
    'package.json': { type: 'module' },
    'plugin.json': manifestOf(profiles),
    'index.js': saying('as it was loaded'),
  });
  const lab = await profileLab(t, { ...setting, folders: [folder] });
  await writeTree(folder, { 'index.js': source });
  return { lab, write: (files) => writeTree(folder, files) };
}

test('profiles are found by plugin and name, by the plugin alone where it has one, and the built-in one always', async (t) => {
  const {
    lab: { host },
  } = await ownPlugin(t, saying('x'), [{ name: 'one', description: 'the only one' }]);
  assert.deepEqual(
    host.profiles.list().map(({ name, description }) => [name, description]),
    [
      ['builtin:default', 'Has no tools; acknowledges what it is given.'],
      ['a:one', 'the only one'],
    ],
  );
  for (const name of ['a:one', 'a']) assert.equal(host.profiles.find(name)?.name, 'a:one');
  assert.equal(host.profiles.find('builtin')?.name, 'builtin:default');
  for (const name of ['a:', 'a:two', 'b', ':one', '', 'A:one', 'a:one:'])
    assert.equal(host.profiles.find(name), undefined, name);
});

test('a plugin with several profiles is not meant by its id alone', async (t) => {
  const {
    lab: { host },
  } = await ownPlugin(t, saying('x'), [{ name: 'one' }, { name: 'two' }]);
  assert.equal(host.profiles.find('a'), undefined);
  assert.equal(host.profiles.find('a:two')?.name, 'a:two');
});

test('a disabled plugin offers no profile', async (t) => {
  const {
    lab: { host },
  } = await ownPlugin(t, saying('x'), undefined, { overrides: { a: { enabled: false } } });
  assert.equal(host.profiles.find('a:one'), undefined);
  assert.equal(host.profiles.list().length, 1);
});

test('the built-in profile acknowledges its input in a cell of its own', async (t) => {
  const lab = await profileLab(t, { folders: [] });
  const worker = lab.worker('builtin:default');
  assert.equal(worker.program.view().live, false);
  const end = await worker.run(`  Hello\n\n there ${'x'.repeat(1000)}`);
  assert.equal(end.kind, 'done');
  assert.match(end.text, /^Received: Hello there x{68}…$/);
  assert.deepEqual(worker.program.view(), {
    incarnation: 1,
    isolation: 'thread',
    live: true,
    unkillable: 0,
    droppedPieces: 0,
  });
  assert.equal(lab.host.profiles.cells, 1);
});

test('an unload ends what runs, and later inputs are told that the plugin is gone until it is back', async (t) => {
  const lab = await profileLab(t);
  const [busy, idle, never] = [lab.worker(), lab.worker(), lab.worker()];
  const { folder } = lab.host.get(labId).plugin;
  await idle.run({ do: 'echo', text: 'x' });
  const running = busy.begin({ do: 'loop' });
  await running.said('looping');
  await lab.host.unload(labId);
  assert.match(failed(await running.ended, 'plugin_not_found').message, /was unloaded/);
  for (const { program } of [busy, idle, never]) assert.equal(program.view().live, false);
  assert.equal(lab.host.profiles.cells, 0);
  for (const { run } of [busy, idle, never]) failed(await run({ do: 'echo', text: 'x' }), 'plugin_not_found');
  await lab.host.load(folder, false);
  assert.equal((await busy.run({ do: 'echo', text: 'back' })).text, 'back');
});

test('after a reload the running input ends as it began, and the next one runs the new code', async (t) => {
  const { lab, write } = await ownPlugin(
    t,
    'import { setTimeout as sleep } from "node:timers/promises"; export const profiles = { one: { async onInput(_, ctx) { ctx.say("old "); await sleep(500); ctx.say("code"); } } };',
  );
  const worker = lab.worker('a');
  const running = worker.begin('Go');
  await running.said('old');
  await write({ 'index.js': saying('new code') });
  await lab.host.reload('a');
  assert.equal((await running.ended).kind, 'done');
  assert.equal(running.text(), 'old code');
  assert.equal((await worker.run('Go')).text, 'new code');
  assert.equal(worker.program.view().incarnation, 2);
});

test('a profile that a reload takes away is told as missing, with those there are', async (t) => {
  const { lab, write } = await ownPlugin(t, saying('x'));
  const worker = lab.worker('a:one');
  await worker.run('Go');
  await write({ 'plugin.json': manifestOf([{ name: 'two' }]) });
  await lab.host.reload('a');
  const error = failed(await worker.run('Go'), 'profile_not_found');
  assert.deepEqual(error.details, { plugin: 'a', profile: 'one', profiles: ['two'] });
});

for (const [what, source, expected] of [
  [
    'cannot be imported',
    'throw new Error("broken at import");',
    /could not be imported: index\.js:1:7: broken at import/,
  ],
  [
    'has no such profile',
    'export const profiles = { other: {} };',
    /does not export what a profile "one" needs: the entry exports no profile "one"/,
  ],
  ['has no profiles', 'export const service = {};', /does not export what a profile "one" needs/],
  ['has an odd profile', 'export const profiles = { one: { onInput: 5 } };', /onInput must be a function/],
  [
    'inherits a profile',
    'export const profiles = Object.create({ one: { onInput() {} } });',
    /exports no profile "one"/,
  ],
  ['exits at import', 'process.exit(4);', /The cell ended during the import: .*process\.exit\(4\)/],
] as const) {
  test(`a plugin that ${what} fails its worker's input as start_failed, and works once it is corrected`, async (t) => {
    const { lab, write } = await ownPlugin(t, source);
    const worker = lab.worker('a:one');
    for (let n = 0; n < 2; n += 1) assert.match(failed(await worker.run('Go'), 'start_failed').message, expected);
    await until('no cell is left', () => !worker.program.view().live);
    await write({ 'index.js': saying('corrected') });
    await lab.host.reload('a');
    assert.equal((await worker.run('Go')).text, 'corrected');
  });
}

test('cancel and unload end an input whose plugin never finishes its import', async (t) => {
  const { lab } = await ownPlugin(t, 'for (;;);');
  const [one, other] = [lab.worker('a'), lab.worker('a')];
  const running = one.begin('Go');
  await until('its cell is there', () => one.program.view().live);
  one.program.cancel();
  assert.deepEqual(await running.ended, { kind: 'cancelled' });
  const again = other.begin('Go');
  await until('its cell is there', () => other.program.view().live);
  await lab.host.unload('a');
  failed(await again.ended, 'plugin_not_found');
  await until('no cell is left', () => lab.host.profiles.cells === 0);
});

test("why an input failed stands in the plugin's log, with the id of the input", async (t) => {
  const lab = await profileLab(t);
  const worker = lab.worker();
  await worker.run({ do: 'log' });
  await worker.run({ do: 'throw', what: 'on command' });
  const { lines } = lab.host.get(labId).log.recent(10);
  const logged = lines.find(({ msg }) => msg === 'from the profile');
  assert.match(String(logged?.correlationId), /^event-/);
  const failure = lines.find(({ level }) => level === 'error');
  assert.match(failure?.msg ?? '', /The program failed: on command/);
  assert.match(String(failure?.correlationId), /^event-/);
});

test('programs end with the host, and run nothing after it', async (t) => {
  const lab = await profileLab(t);
  const worker = lab.worker();
  const running = worker.begin({ do: 'loop' });
  await running.said('looping');
  await lab.host.shutdown(10_000);
  assert.deepEqual(await running.ended, { kind: 'cancelled' });
  failed(await worker.run({ do: 'echo', text: 'x' }), 'worker_stopped');
  const profile = lab.host.profiles.find('builtin:default');
  const late = await profile
    ?.open({ runtimeId: 'r', workerId: 'w' })
    .run({ eventId: 'e', kind: 'user', content: '', createdAt: '', history: [], state: () => undefined }, () => {});
  assert.ok(late?.kind === 'failed' && late.error instanceof HostError);
  assert.equal(late.error.code, 'shutting_down');
});
