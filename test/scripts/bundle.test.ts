// What a build puts together: few files to load, whose places lead back to the sources, and which know where they
// stand.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, readdir, symlink } from 'node:fs/promises';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { errorKinds } from '../../protocol/errors.ts';
import { bundle } from '../../scripts/bundle/bundle.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');

async function bundled(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  await bundle(root, join(folder, 'dist'));
  return folder;
}

/** Static imports of a bundle, written with or without white space. */
const importing = /(?:^|(?<=["'];))(?:import|export)\b[^'"]*?(?:\bfrom\s*)?["']([^"'\n]+)["'](?:;|$)/gm;

/** What loads with a file: itself, and all that it imports, of this build and from elsewhere. */
async function loaded(file: string, seen = new Set<string>()): Promise<Set<string>> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, name = ''] of (await readFile(file, 'utf8')).matchAll(importing)) {
    if (name.startsWith('.')) await loaded(join(dirname(file), name), seen);
    else seen.add(name);
  }
  return seen;
}

test('a cell is one file and loads no other', async (t) => {
  const folder = await bundled(t);
  for (const cell of [
    'service-cell',
    'process-cell',
    'tool-cell',
    'watchdog',
    'nested-guard',
    'default-profile',
    'schema-check',
    'entry-check',
  ]) {
    const file = join(folder, 'dist/workers', `${cell}.js`);
    const others = [...(await loaded(file))].filter((name) => name !== file && !name.startsWith('node:'));
    assert.deepEqual(others, [], cell);
  }
});

test('the command loads what one of its commands needs, and no more', async (t) => {
  const folder = await bundled(t);
  const main = (await readdir(join(folder, 'dist/daemon/cli'))).find((name) => /^part-main-\w+\.js$/.test(name)) ?? '';
  const modules = await loaded(join(folder, 'dist/daemon/cli', main));
  assert.deepEqual(
    [...modules].filter((name) => !name.startsWith('/') && !name.startsWith('node:')),
    ['commander'],
  );
  assert.ok(modules.size < 30, [...modules].join('\n'));
});

/** The guardian lives as long as the daemon, so what it loads is what it costs. */
const mostGuardianBytes = 60_000;

test('the guardian loads little code and no dependency', async (t) => {
  const folder = await bundled(t);
  const guardian =
    (await readdir(join(folder, 'dist/daemon/cli'))).find((name) => /^part-guardian-\w+\.js$/.test(name)) ?? '';
  const modules = [
    ...(await loaded(join(folder, 'dist/daemon/cli', guardian))),
    ...(await loaded(join(folder, 'dist/daemon/cli/nagaya.js'))),
  ];
  assert.deepEqual(
    modules.filter((name) => !name.startsWith('/') && !name.startsWith('node:')),
    [],
  );
  const files = await Promise.all(
    modules.filter((name) => name.startsWith('/')).map(async (name) => (await readFile(name)).byteLength),
  );
  const bytes = files.reduce((sum, size) => sum + size, 0);
  assert.ok(bytes <= mostGuardianBytes, `${String(bytes)} bytes in ${modules.join('\n')}`);
});

test("a place in a cell's file leads back to its source", async (t) => {
  const folder = await bundled(t);
  const file = join(folder, 'dist/workers/service-cell.js');
  const map = new SourceMap(JSON.parse(await readFile(`${file}.map`, 'utf8')) as SourceMapPayload);
  const lines = (await readFile(file, 'utf8')).split('\n');
  const at = lines.findIndex((line) => line.includes('function hideParent('));
  const entry = map.findEntry(at, lines[at]?.indexOf('function hideParent(') ?? 0);
  assert.ok('originalSource' in entry, `line ${String(at)}`);
  const source = join(dirname(file), entry.originalSource);
  assert.equal(source, join(root, 'workers/guard.ts'));
  assert.match((await readFile(source, 'utf8')).split('\n')[entry.originalLine] ?? '', /^export function hideParent\(/);
});

test('the files of cells keep the names that a stack shows, and leave out the words of errors', async (t) => {
  const folder = await bundled(t);
  const textOf = (name: string): Promise<string> => readFile(join(folder, 'dist', `${name}.js`), 'utf8');
  const daemon = (await readdir(join(folder, 'dist/daemon/cli'))).find((name) => /^part-daemon-\w+\.js$/.test(name));
  for (const [file, names] of [
    ['workers/service-cell', ['function hideParent(', 'HostError=class extends', 'class CellState{']],
    [`daemon/cli/${daemon?.replace('.js', '') ?? ''}`, ['class HostedPlugin{', 'class Incarnation{']],
  ] as const)
    for (const name of names) assert.ok((await textOf(file)).includes(name), `${file} has ${name}`);
  for (const cell of ['service-cell', 'process-cell', 'tool-cell']) {
    const text = await textOf(`workers/${cell}`);
    assert.ok(text.includes('HostError') && !text.includes(errorKinds.queue_full.remedy), cell);
  }
});

test('the notices name every package whose text is in a bundle', async (t) => {
  const packages = await bundle(root, join(await temporaryFolder(t), 'dist'));
  const notices = await readFile(join(root, 'THIRD-PARTY-NOTICES.md'), 'utf8');
  assert.deepEqual(packages, [
    'ajv',
    'comlink',
    'fast-deep-equal',
    'fast-uri',
    'htm',
    'json-schema-traverse',
    'preact',
    'uplot',
    'zod',
  ]);
  for (const name of packages) {
    const { version } = JSON.parse(await readFile(join(root, 'node_modules', name, 'package.json'), 'utf8')) as {
      version: string;
    };
    assert.match(notices, new RegExp(`^## ${name} ${version.replaceAll('.', '\\.')}$`, 'm'), name);
  }
});

test('the command finds what lies beside it', async (t) => {
  const folder = await bundled(t);
  await writeTree(folder, { 'package.json': { type: 'module', version: '12.34.56' } });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const { stdout } = await run(process.execPath, [join(folder, 'dist/daemon/cli/nagaya.js'), '--version']);
  assert.equal(stdout, '12.34.56\n');
});
