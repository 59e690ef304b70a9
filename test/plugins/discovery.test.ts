// Looking for plugins is an inventory: it finds folders by their manifest, runs nothing and survives whatever is there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { discover } from '../../daemon/plugins/discovery.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

const options = { maxPlugins: 100 };

test('a folder with a manifest is a plugin, and of any other its child folders with one are', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, {
    'one/plugin.json': '{}',
    'one/inner/plugin.json': '{}',
    'many/b/plugin.json': 'not even JSON',
    'many/a/plugin.json': '{}',
    'many/c/readme': '',
    'many/d/deeper/plugin.json': '{}',
    'many/file': '',
  });
  const found = discover([join(folder, 'one'), join(folder, 'many')], options);
  assert.deepEqual(found, {
    folders: [join(folder, 'one'), join(folder, 'many/a'), join(folder, 'many/b')],
    invalid: [],
  });
});

test('hidden folders and installed packages are not looked into', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { '.hidden/plugin.json': '{}', 'node_modules/plugin.json': '{}', 'a/plugin.json': '{}' });
  assert.deepEqual(discover([folder], options).folders, [join(folder, 'a')]);
});

test('a plugin reached in several ways is found once', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'a/plugin.json': '{}' });
  await symlink(join(folder, 'a'), join(folder, 'b'));
  assert.deepEqual(discover([folder, join(folder, 'b'), folder], options).folders, [join(folder, 'a')]);
});

test('what cannot be looked at is reported by its path and hides nothing else', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugins/good/plugin.json': '{}', file: '', 'plugin.json': '{}' });
  await symlink(join(folder, 'nowhere'), join(folder, 'plugins', 'broken'));
  const found = discover(
    [join(folder, 'missing'), join(folder, 'file'), join(folder, 'plugin.json'), join(folder, 'plugins')],
    options,
  );
  assert.deepEqual(found.folders, [join(folder, 'plugins', 'good')]);
  const faults = found.invalid.map(({ path, issues }) => [path.slice(folder.length + 1), issues[0]?.message]);
  assert.deepEqual(faults, [
    ['missing', 'the folder does not exist; correct the path'],
    ['file', 'the path leads to a file; name a folder with a plugin.json'],
    ['plugin.json', 'the path leads to a file; name the folder that holds it'],
    ['plugins/broken', 'the folder does not exist; correct the path'],
  ]);
});

test('a fifo by the name of a manifest makes a plugin that its reader refuses', { timeout: 10_000 }, async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'a'));
  execFileSync('mkfifo', [join(folder, 'a', 'plugin.json')]);
  assert.deepEqual(discover([folder], options).folders, [join(folder, 'a')]);
});

test('more plugins or entries than allowed are counted and left out', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [`${name}/plugin.json`, '{}'])));
  const few = discover([folder], { maxPlugins: 1 });
  assert.deepEqual(few.folders, [join(folder, 'a')]);
  assert.match(few.invalid[0]?.issues[0]?.message ?? '', /^holds 3 plugins more than limits.plugins \(1\) allows/);
  const short = discover([folder], { ...options, maxEntries: 2 });
  assert.equal(short.folders.length, 2);
  assert.match(short.invalid[0]?.issues[0]?.message ?? '', /^holds more than 2 entries/);
});
