// The flags of Node's permission model that a plugin's grants become.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { permissionArgs } from '../../daemon/isolates/permissions.ts';
import { permissions } from '../../protocol/manifest.ts';

const folder = '/srv/plugins/example';
const argsOf = (granted: object | undefined): string[] =>
  permissionArgs(granted === undefined ? undefined : permissions.parse(granted), folder);

test('a plugin that asks for nothing is not restricted', () => {
  assert.deepEqual(argsOf(undefined), []);
});

test('the flag has the name that the Node in use knows', () => {
  const [flag] = argsOf({});
  assert.ok(process.allowedNodeEnvironmentFlags.has(flag ?? ''), flag);
});

test('an empty list of grants leaves the plugin its own folder to read, and nothing to write or start', () => {
  const args = argsOf({});
  assert.ok(args.includes(`--allow-fs-read=${folder}/*`));
  assert.deepEqual(
    args.filter((arg) => /write|child|worker|addons/.test(arg)),
    [],
  );
  assert.ok(!args.includes('--allow-fs-read=*'));
});

test("paths are the plugin's own, or absolute, and mean a file or all that a folder holds", () => {
  const args = argsOf({
    fs: { read: ['../shared/', '../file', '/etc', '/etc/hostname'], write: ['./data/', 'data/deep/', 'data'] },
  });
  for (const path of ['/srv/plugins/shared/*', '/srv/plugins/file', '/etc/*'])
    assert.ok(args.includes(`--allow-fs-read=${path}`), path);
  assert.ok(!args.includes('--allow-fs-read=/etc/hostname'), 'granted with its folder');
  assert.deepEqual(
    args.filter((arg) => arg.startsWith('--allow-fs-write')),
    [`--allow-fs-write=${folder}/data/*`],
  );
  assert.deepEqual(
    argsOf({ fs: { write: ['*', 'data'] } }).filter((arg) => arg.startsWith('--allow-fs-write')),
    ['--allow-fs-write=*'],
  );
});

test('each other grant is a flag of its own', () => {
  const args = argsOf({ childProcess: true, worker: true, addons: true });
  for (const flag of ['--allow-child-process', '--allow-worker', '--allow-addons'])
    assert.ok(args.includes(flag), flag);
});

test('a path that Node would take for two, or for many, is refused', () => {
  for (const path of ['a,b', 'logs/*.txt', '']) assert.throws(() => permissions.parse({ fs: { read: [path] } }), path);
});

test('whatever paths a plugin asks for, the process that reads the flags survives them', { timeout: 60_000 }, () => {
  // Few letters, so that paths begin alike: it is there that Node 20 aborts.
  const path = fc
    .array(fc.stringMatching(/^[ab]{1,3}$/), { minLength: 1, maxLength: 4 })
    .map((parts) => `/q${parts.join('/')}`);
  const paths = fc.array(
    fc.tuple(path, fc.constantFrom('', '/')).map((parts) => parts.join('')),
    { maxLength: 12 },
  );
  const sets = fc.sample(fc.record({ read: paths, write: paths }), 60).map((fs) => argsOf({ fs }));
  const starter = fileURLToPath(new URL('../fixtures/restricted-threads.js', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, ['--no-warnings', starter], {
    input: JSON.stringify(sets),
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
});
