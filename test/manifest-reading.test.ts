// What the host knows of a plugin once its manifest was read.
import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { read, serviceManifest, toolManifest } from './manifest-fixture.ts';
import { temporaryFolder, writeTree } from './temporary-folder.ts';

test('a plugin is read with every default filled in and nothing of it run', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin.json': serviceManifest, 'index.js': 'throw new Error("discovery must not run me")' });
  const plugin = await read(folder);
  assert.equal(plugin.id, 'example.service');
  assert.equal(plugin.folder, folder);
  assert.equal(plugin.entry, join(folder, 'index.js'));
  assert.equal(plugin.manifest.isolation, 'thread');
  assert.equal(plugin.manifest.service?.queue.capacity, 256);
  assert.deepEqual({ enabled: plugin.enabled, autostart: plugin.autostart, config: plugin.config }, { enabled: true, autostart: true, config: {} });
  assert.deepEqual(plugin.overridden, []);
  assert.deepEqual(plugin.notes, []);
});

test('a folder reached through a link is known by its real path', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'real/plugin.json': toolManifest, 'real/index.js': '' });
  await symlink(join(folder, 'real'), join(folder, 'link'));
  const plugin = await read(join(folder, 'link'));
  assert.equal(plugin.folder, join(folder, 'real'));
  assert.equal(plugin.entry, join(folder, 'real', 'index.js'));
});

test('a key that stands twice counts as it stands last, and a byte order mark is no fault', async (t) => {
  const folder = await temporaryFolder(t);
  const text = JSON.stringify(toolManifest).replace('{', '{"name":"First",');
  await writeTree(folder, { 'plugin.json': `\uFEFF${text}`, 'index.js': '' });
  assert.equal((await read(folder)).manifest.name, 'Tool');
});

test('what a manifest asks for and this daemon does not act on is said in the notes', async (t) => {
  const folder = await temporaryFolder(t);
  const { service } = serviceManifest;
  await writeTree(folder, {
    'plugin.json': { ...serviceManifest, isolation: 'process', service: { ...service, restart: { intensity: 2 }, retry: { maxAttempts: 1 } }, profiles: [{ name: 'chat' }] },
    'index.js': '',
  });
  const { notes } = await read(folder);
  assert.equal(notes.length, 4);
  for (const [at, subject] of ['isolation "process"', 'service.restart', 'service.retry', 'profiles'].entries()) {
    assert(notes[at]?.startsWith(subject), notes[at]);
  }
});

test('defaults written out are not noted, and a tool may ask for a process', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, {
    'a/plugin.json': { ...serviceManifest, service: { ...serviceManifest.service, restart: { policy: 'on-failure' }, retry: { maxAttempts: 3 } } },
    'a/index.js': '',
    'b/plugin.json': { ...toolManifest, isolation: 'process' },
    'b/index.js': '',
  });
  assert.deepEqual((await read(join(folder, 'a'))).notes, []);
  assert.deepEqual((await read(join(folder, 'b'))).notes, []);
});
