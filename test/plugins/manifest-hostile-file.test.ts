// Whatever stands where plugin.json should be, reading it ends at once and within its bound.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readPlugin } from '../../daemon/plugins/manifest-file.ts';
import type { Issue } from '../../protocol/errors.ts';
import { issuesOfReading, manifestBytes, read, toolManifest } from '../labs/manifest-lab.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

const soon = { timeout: 10_000 };

async function refusedAs(t: TestContext, put: (path: string) => unknown): Promise<readonly Issue[]> {
  const folder = await temporaryFolder(t);
  await put(join(folder, 'plugin.json'));
  return issuesOfReading(folder);
}

test('a fifo that nobody writes is refused without waiting', soon, async (t) => {
  const issues = await refusedAs(t, (path) => execFileSync('mkfifo', [path]));
  assert.deepEqual(issues, [{ path: 'plugin.json', message: 'is a fifo; it must be a regular file' }]);
});

test('a folder is refused', soon, async (t) => {
  assert.match((await refusedAs(t, (path) => mkdir(path)))[0]?.message ?? '', /is a folder; it must be a regular file/);
});

test('a device without end is refused', soon, async (t) => {
  assert.match(
    (await refusedAs(t, (path) => symlink('/dev/zero', path)))[0]?.message ?? '',
    /is a device; it must be a regular file/,
  );
});

test('a socket is refused', soon, async (t) => {
  const server = createServer();
  t.after(() => server.close());
  const issues = await refusedAs(t, (path) => new Promise<void>((resolve) => server.listen(path, resolve)));
  assert.match(issues[0]?.message ?? '', /is a socket; it must be a regular file/);
});

test('a link to itself is refused', soon, async (t) => {
  assert.match((await refusedAs(t, (path) => symlink(path, path)))[0]?.message ?? '', /circle of links/);
});

test('a file over the bound is refused and one at the bound is read', soon, async (t) => {
  const folder = await temporaryFolder(t);
  const padded = (bytes: number): string => JSON.stringify(toolManifest).padEnd(bytes, ' ');
  await writeTree(folder, {
    'at/plugin.json': padded(manifestBytes),
    'at/index.js': '',
    'over/plugin.json': padded(manifestBytes + 1),
    'over/index.js': '',
  });
  assert.equal(read(join(folder, 'at')).id, toolManifest.id);
  const [issue] = issuesOfReading(join(folder, 'over'));
  assert.equal(
    issue?.message,
    `is larger than ${String(manifestBytes)} bytes; make it smaller or raise limits.manifestBytes in the configuration`,
  );
});

test(
  'a file that hides its size is still read no further than the bound',
  { ...soon, skip: process.platform !== 'linux' },
  async (t) => {
    const folder = await temporaryFolder(t);
    await symlink('/proc/self/smaps', join(folder, 'plugin.json'));
    assert.throws(() => readPlugin(folder, { overrides: {}, manifestBytes: 1024 }), /is larger than 1024 bytes/);
  },
);

test('bytes that are not UTF-8, an empty file and endless nesting are refused', soon, async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'empty/plugin.json': '', 'deep/plugin.json': '['.repeat(50_000) });
  await mkdir(join(folder, 'bytes'));
  execFileSync('sh', ['-c', 'printf \'{"id":"\\377"}\' > "$0"', join(folder, 'bytes', 'plugin.json')]);
  assert.match(issuesOfReading(join(folder, 'bytes'))[0]?.message ?? '', /not UTF-8/);
  assert.match(issuesOfReading(join(folder, 'empty'))[0]?.message ?? '', /1:1: the file is empty/);
  assert.match(issuesOfReading(join(folder, 'deep'))[0]?.message ?? '', /nests deeper than 128 levels/);
});

test(
  'a folder that is missing, is a file, is no absolute path or holds no manifest is refused with what to do',
  soon,
  async (t) => {
    const folder = await temporaryFolder(t);
    await writeTree(folder, { 'plugin.json': toolManifest, 'none/readme': '' });
    const message = async (path: string): Promise<string> => issuesOfReading(path)[0]?.message ?? '';
    assert.match(await message(join(folder, 'missing')), /does not exist; correct the path/);
    assert.match(await message(join(folder, 'plugin.json')), /leads to a file; name the folder that holds it/);
    assert.match(await message('./relative'), /must be absolute/);
    assert.match(await message(join(folder, 'none')), /is missing; a plugin is a folder with a plugin.json/);
    assert.match(await message('/tmp/zero\0byte'), /zero byte/);
  },
);
