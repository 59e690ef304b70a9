// What the host knows of a plugin once its manifest was read.
import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { read, serviceManifest, toolManifest } from '../labs/manifest-lab.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

test('a plugin is read with every default filled in and nothing of it run', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, {
    'plugin.json': serviceManifest,
    'index.js': 'throw new Error("discovery must not run me")',
  });
  const plugin = read(folder);
  assert.equal(plugin.id, 'example.service');
  assert.equal(plugin.folder, folder);
  assert.equal(plugin.entry, join(folder, 'index.js'));
  assert.equal(plugin.manifest.isolation, 'thread');
  assert.equal(plugin.manifest.service?.queue.capacity, 256);
  assert.deepEqual(
    { enabled: plugin.enabled, autostart: plugin.autostart, config: plugin.config },
    { enabled: true, autostart: true, config: {} },
  );
  assert.deepEqual(plugin.overridden, []);
  assert.deepEqual(plugin.notes, []);
});

test('a folder reached through a link is known by its real path', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'real/plugin.json': toolManifest, 'real/index.js': '' });
  await symlink(join(folder, 'real'), join(folder, 'link'));
  const plugin = read(join(folder, 'link'));
  assert.equal(plugin.folder, join(folder, 'real'));
  assert.equal(plugin.entry, join(folder, 'real', 'index.js'));
});

test('a key that stands twice counts as it stands last, and a byte order mark is no fault', async (t) => {
  const folder = await temporaryFolder(t);
  const text = JSON.stringify(toolManifest).replace('{', '{"name":"First",');
  await writeTree(folder, { 'plugin.json': `\uFEFF${text}`, 'index.js': '' });
  assert.equal(read(folder).manifest.name, 'Tool');
});

test('a manifest that asks for nothing the daemon leaves undone gets no notes', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, {
    'a/plugin.json': { ...serviceManifest, profiles: [{ name: 'chat' }] },
    'a/index.js': '',
    'b/plugin.json': {
      ...serviceManifest,
      isolation: 'process',
      service: { ...serviceManifest.service, restart: { intensity: 2 }, retry: { maxAttempts: 1 } },
    },
    'b/index.js': '',
  });
  const { notes, manifest } = read(join(folder, 'a'));
  assert.deepEqual(notes, []);
  assert.deepEqual(manifest.profiles, [{ name: 'chat', description: '', timeoutMs: 120_000 }]);
  assert.deepEqual(read(join(folder, 'b')).notes, []);
});
