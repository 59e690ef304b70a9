// Files sources as whoever drops files meets them: the real daemon, real folders.
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pluginId } from '../labs/webhook-lab.ts';
import { temporaryFolder } from '../labs/cli-process.ts';
import { reported, websocketLab } from '../labs/websocket-lab.ts';
import { untilAnswer } from '../labs/until.ts';

const inbox = (paths: readonly string[], more: object = {}) => ({
  name: 'inbox',
  type: 'files',
  ingress: 'pushes',
  kind: 'push',
  paths,
  settleMs: 100,
  ...more,
});

async function inboxLab(t: TestContext, more: object = {}, options: object = {}) {
  const folder = join(temporaryFolder(t), 'inbox');
  mkdirSync(folder);
  const lab = await websocketLab(t, { sources: [inbox([folder], more)], ...options });
  const paths = async (): Promise<unknown[]> => (await reported(lab)).payloads.map(({ path }) => path);
  return { ...lab, inbox: folder, paths };
}

test('a file that has settled is reported once, and again when it has changed', async (t) => {
  const lab = await inboxLab(t);
  const path = join(lab.inbox, 'a.txt');
  writeFileSync(path, 'hello');
  writeFileSync(join(lab.inbox, '.hidden'), 'x');
  mkdirSync(join(lab.inbox, 'below'));
  symlinkSync('/etc/hostname', join(lab.inbox, 'link'));
  await untilAnswer('the answer fits', lab.handled, (count) => count === 1);
  const { mtimeMs } = statSync(path);
  assert.deepEqual((await reported(lab)).payloads, [
    { path, bytes: 5, modifiedAt: new Date(Math.floor(mtimeMs)).toISOString() },
  ]);
  writeFileSync(path, 'hello again');
  await untilAnswer('the answer fits', lab.handled, (count) => count === 2);
  const { state, counters, lastError } = await lab.source('inbox');
  assert.equal(state, 'open');
  assert.equal(lastError, null);
  assert.equal(counters.accepted, 2);
});

test('a file that is being written is not reported before it is whole', async (t) => {
  const lab = await inboxLab(t, { settleMs: 3000 });
  const path = join(lab.inbox, 'growing');
  let bytes = 0;
  for (let at = 0; at < 20; at += 1) {
    writeFileSync(path, 'x'.repeat((bytes += 100)));
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await untilAnswer('the answer fits', lab.handled, (count) => count >= 1);
  assert.deepEqual(
    (await reported(lab)).payloads.map((payload) => payload['bytes']),
    [2000],
  );
});

test('what was reported is remembered by the next daemon, and what came meanwhile is reported', async (t) => {
  const lab = await inboxLab(t);
  for (const name of ['a', 'b', 'c']) writeFileSync(join(lab.inbox, name), name);
  await untilAnswer('the answer fits', lab.handled, (count) => count === 3);
  lab.daemon.signal('SIGKILL');
  await lab.daemon.ended;
  writeFileSync(join(lab.inbox, 'd'), 'd');
  const next = await websocketLab(t, { sources: [inbox([lab.inbox])], folder: lab.daemon.folder });
  // An event whose handling was not written down comes again, but no file is accepted a second time.
  await untilAnswer(
    'the answer fits',
    async () => (await reported(next)).payloads.map(({ path }) => path),
    (paths) => paths.includes(join(lab.inbox, 'd')),
  );
  assert.equal((await next.source('inbox')).counters.accepted, 1);
});

test('a folder that is deleted and made again is watched again, and shown while it is gone', async (t) => {
  const lab = await inboxLab(t);
  writeFileSync(join(lab.inbox, 'a'), 'a');
  await untilAnswer('the answer fits', lab.handled, (count) => count === 1);
  renameSync(lab.inbox, `${lab.inbox}-away`);
  const { lastError } = await untilAnswer(
    'the answer fits',
    () => lab.source('inbox'),
    ({ state }) => state === 'retrying',
  );
  assert.match(lastError?.message ?? '', /ENOENT/);
  renameSync(`${lab.inbox}-away`, lab.inbox);
  await untilAnswer(
    'the answer fits',
    () => lab.source('inbox'),
    ({ state }) => state === 'open',
  );
  writeFileSync(join(lab.inbox, 'b'), 'b');
  await untilAnswer('the answer fits', lab.handled, (count) => count === 2);
  rmSync(lab.inbox, { recursive: true });
  mkdirSync(lab.inbox);
  writeFileSync(join(lab.inbox, 'c'), 'c');
  await untilAnswer('the answer fits', lab.handled, (count) => count === 3);
  assert.deepEqual(
    await lab.paths(),
    ['a', 'b', 'c'].map((name) => join(lab.inbox, name)),
  );
});

test('files wait while the service is stopped, and beyond maxFiles none is looked at', async (t) => {
  const lab = await inboxLab(t, { maxFiles: 5 });
  await lab.client.call('service.stop', { plugin: pluginId });
  for (let at = 0; at < 8; at += 1) writeFileSync(join(lab.inbox, `f${String(at)}`), 'x');
  assert.equal((await lab.source('inbox')).state, 'paused');
  await lab.client.call('service.start', { plugin: pluginId });
  await untilAnswer('the answer fits', lab.handled, (count) => count === 5);
  const { lastError } = await untilAnswer(
    'the answer fits',
    () => lab.source('inbox'),
    ({ state }) => state === 'faulty',
  );
  assert.equal(lastError?.code, 'too_many_files');
  for (const path of await lab.paths()) rmSync(String(path));
  await untilAnswer('the answer fits', lab.handled, (count) => count === 8);
  assert.equal(new Set(await lab.paths()).size, 8);
});

test("a relative folder lies in the plugin's own, whatever links say, and permissions decide beyond", async (t) => {
  const outside = temporaryFolder(t);
  writeFileSync(join(outside, 'secret'), 'x');
  const sources = [
    inbox(['../../tmp'], { name: 'up' }),
    inbox(['inside'], { name: 'inside' }),
    inbox([outside], { name: 'outside' }),
  ];
  const lab = await websocketLab(t, {
    sources,
    service: {},
    config: { plugins: { overrides: { [pluginId]: { isolation: 'process', permissions: {} } } } },
  });
  mkdirSync(join(lab.folder, 'inside'));
  writeFileSync(join(lab.folder, 'inside', 'a'), 'a');
  await untilAnswer('the answer fits', lab.handled, (count) => count === 1);
  for (const name of ['up', 'outside']) {
    const { lastError } = await untilAnswer(
      'the answer fits',
      () => lab.source(name),
      ({ state }) => state === 'faulty' || state === 'retrying',
    );
    assert.match(lastError?.message ?? '', /permissions\.fs\.read does not grant it|cannot be read/);
  }
  rmSync(join(lab.folder, 'inside'), { recursive: true });
  symlinkSync(outside, join(lab.folder, 'inside'));
  const { lastError } = await untilAnswer(
    'the answer fits',
    () => lab.source('inside'),
    ({ state }) => state === 'faulty',
  );
  assert.equal(lastError?.code, 'folder_forbidden');
  assert.equal(await lab.handled(), 1);
});
