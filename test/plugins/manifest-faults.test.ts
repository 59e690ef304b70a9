// A manifest that does not fit is refused with every fault by the path of its field and with what to do about it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { issuesOfReading, serviceManifest, toolManifest } from '../labs/manifest-lab.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

const faults: readonly [what: string, manifest: unknown, path: string, message: RegExp][] = [
  ['an unknown key', { ...toolManifest, isolaton: 'thread' }, 'isolaton', /did you mean "isolation"\?/],
  [
    'an unknown key deep inside',
    { ...toolManifest, tools: [{ name: 'greet', timeoutms: 5 }] },
    'tools[0].timeoutms',
    /did you mean "timeoutMs"\?/,
  ],
  ['a missing field', { ...toolManifest, name: undefined }, 'name', /is missing; it must be a text/],
  [
    'a wrong type',
    { ...toolManifest, limits: { heapMb: '128' } },
    'limits.heapMb',
    /must be a number, but it is a text/,
  ],
  ['a number out of range', { ...toolManifest, limits: { heapMb: 1 } }, 'limits.heapMb', /must be at least 8/],
  ['a fraction', { ...toolManifest, limits: { heapMb: 8.5 } }, 'limits.heapMb', /whole number, but it is 8\.5/],
  ['a word outside the list', { ...toolManifest, isolation: 'vm' }, 'isolation', /must be "thread" or "process"/],
  ['another schema version', { ...toolManifest, schemaVersion: 2 }, 'schemaVersion', /must be 1/],
  ['an id with capitals', { ...toolManifest, id: 'Example' }, 'id', /a-z 0-9/],
  [
    'an id that the daemon has taken itself',
    { ...toolManifest, id: 'builtin' },
    'id',
    /must not be "builtin".*choose another, such as "example\.builtin"/,
  ],
  ['a version that is none', { ...toolManifest, version: '1' }, 'version', /semantic version/],
  ['an environment name that is none', { ...toolManifest, env: ['A B'] }, 'env[0]', /name of an environment variable/],
  ['two tools of one name', { ...toolManifest, tools: [{ name: 'a' }, { name: 'a' }] }, 'tools', /same name/],
  [
    'a service without ingresses',
    { ...serviceManifest, service: { ingresses: [] } },
    'service.ingresses',
    /at least 1 entry/,
  ],
  [
    'a schema that is none',
    { ...toolManifest, tools: [{ name: 'a', inputSchema: 3 }] },
    'tools[0].inputSchema',
    /an object or true or false, but it is a number/,
  ],
  ['no object at all', [toolManifest], '', /must be an object, but it is a list/],
];

for (const [what, manifest, path, message] of faults) {
  test(`${what} is refused by its path with a remedy`, async (t) => {
    const folder = await temporaryFolder(t);
    await writeTree(folder, { 'plugin.json': manifest, 'index.js': '' });
    const issues = issuesOfReading(folder);
    assert.deepEqual(
      issues.map((issue) => issue.path),
      [path],
    );
    assert.match(issues[0]?.message ?? '', message);
  });
}

test('several faults are all named, and a hostile number of them is not', async (t) => {
  const folder = await temporaryFolder(t);
  const strange = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`strange${String(at)}`, at]));
  await writeTree(folder, {
    'two/plugin.json': { ...toolManifest, id: '', version: '' },
    'many/plugin.json': { ...toolManifest, ...strange },
  });
  assert.deepEqual(
    issuesOfReading(join(folder, 'two')).map((issue) => issue.path),
    ['id', 'version'],
  );
  assert.equal(issuesOfReading(join(folder, 'many')).length, 20);
});

test('a syntax error is named by line and column', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin.json': '{\n  "schemaVersion": 1,\n  "id": "a"\n  "name": "A"\n}', 'index.js': '' });
  assert.deepEqual(issuesOfReading(folder), [
    { path: 'plugin.json', message: '4:3: a comma or } is missing before this' },
  ]);
});

test("a key that would reach an object's prototype is an unknown key like any other", async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, {
    'plugin.json': JSON.stringify(toolManifest).replace('{', '{"__proto__":{"isolation":"process"},'),
    'index.js': '',
  });
  assert.deepEqual(
    issuesOfReading(folder).map((issue) => issue.path),
    ['__proto__'],
  );
});
