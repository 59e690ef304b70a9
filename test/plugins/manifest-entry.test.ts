// A plugin's entry is an ES module inside its own folder, whatever the manifest says.
import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { issuesOfReading, read, toolManifest } from '../labs/manifest-lab.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

for (const entry of ['index.js', './index.mjs', './src/index.ts', './src/./main.mts']) {
  test(`an entry may be written as ${entry}`, async (t) => {
    const folder = await temporaryFolder(t);
    await writeTree(folder, { 'plugin.json': { ...toolManifest, entry }, [entry]: '' });
    assert.equal(read(folder).entry, join(folder, entry));
  });
}

const refusals: readonly [entry: string, message: RegExp][] = [
  ['./missing.js', /does not exist; correct the path/],
  ['../outside.js', /must stay inside the plugin's folder/],
  ['./src/../../outside.js', /must stay inside the plugin's folder/],
  ['/etc/passwd', /must be relative/],
  ['./folder.js', /is a folder; name the module file itself/],
  ['.', /is a folder/],
  ['./old.cjs', /is CommonJS; make it an ES module/],
  ['./data.json', /must be an ES module that ends in \.js, \.mjs, \.ts, \.mts/],
  ['./link-out.js', /a link that leads out of the plugin's folder/],
  ['./folder-link/outside.js', /a link that leads out of the plugin's folder/],
  ['./dangling.js', /does not exist/],
  ['./index.js/deeper.js', /a part of its path is no folder/],
  ['./zero\0byte.js', /zero byte/],
  ['file:///etc/passwd', /does not exist/],
];

for (const [entry, message] of refusals) {
  test(`the entry ${JSON.stringify(entry)} is refused`, async (t) => {
    const outer = await temporaryFolder(t);
    const folder = join(outer, 'plugin');
    await writeTree(outer, {
      'outside.js': '',
      'plugin/plugin.json': { ...toolManifest, entry },
      'plugin/index.js': '',
      'plugin/old.cjs': '',
      'plugin/data.json': '{}',
    });
    await mkdir(join(folder, 'folder.js'));
    await symlink(join(outer, 'outside.js'), join(folder, 'link-out.js'));
    await symlink(outer, join(folder, 'folder-link'));
    await symlink(join(outer, 'nothing.js'), join(folder, 'dangling.js'));
    const issues = issuesOfReading(folder);
    assert.deepEqual(
      issues.map((issue) => issue.path),
      ['entry'],
    );
    assert.match(issues[0]?.message ?? '', message);
  });
}

test('a link that stays inside the folder is followed to the real module', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin.json': toolManifest, 'build/main.mjs': '' });
  await symlink(join(folder, 'build', 'main.mjs'), join(folder, 'index.js'));
  assert.equal(read(folder).entry, join(folder, 'build', 'main.mjs'));
});

test('a neighbouring folder whose name begins alike is outside', async (t) => {
  const outer = await temporaryFolder(t);
  await writeTree(outer, { 'plugin/plugin.json': toolManifest, 'plugin-two/index.js': '' });
  await symlink(join(outer, 'plugin-two', 'index.js'), join(outer, 'plugin', 'index.js'));
  assert.match(issuesOfReading(join(outer, 'plugin'))[0]?.message ?? '', /leads out/);
});
