// A broken JSON Schema of a plugin is told to whoever loads or reloads it, and never holds up the daemon.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError, type Issue } from '../../protocol/errors.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';

const pluginWith = (inputSchema: unknown) => ({
  'plugin.json': JSON.stringify({
    schemaVersion: 1,
    id: 'lab.schemas',
    name: 'Schemas',
    version: '1.0.0',
    entry: './index.js',
    tools: [{ name: 'good' }, { name: 'checked', inputSchema }],
  }),
  'package.json': '{ "type": "module" }',
  'index.js': 'export const tools = { good: () => "fine", checked: () => "fine" };',
});

const refused = async (answer: Promise<unknown>): Promise<{ readonly code: string; readonly issues: Issue[] }> => {
  const thrown = await answer.then(
    () => assert.fail('it was accepted'),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof HostError);
  return { code: thrown.code, issues: thrown.details['issues'] as Issue[] };
};

/** Its references are written out in full when it is compiled, which takes all the memory there is. */
const huge = {
  allOf: Array.from({ length: 2000 }, () => ({ $ref: '#/$defs/leaf' })),
  $defs: {
    leaf: {
      properties: Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`p${String(at)}`, { type: 'string' }])),
    },
  },
};

test('plugin.load and plugin.reload refuse a broken schema by its place, and what runs goes on', async (t) => {
  const folder = await temporaryFolder(t);
  const daemon = await startTestDaemon(t);
  const client = await daemon.connect();
  await writeTree(folder, pluginWith({ type: 'objekt' }));
  const load = await refused(client.call('plugin.load', { path: folder }));
  assert.equal(load.code, 'plugin_invalid');
  assert.deepEqual(
    load.issues.map(({ path }) => path),
    ['tools[1].inputSchema'],
  );
  assert.match(load.issues[0]?.message ?? '', /^is not a JSON Schema that compiles: ./);
  assert.deepEqual((await client.call('plugin.list', {})).plugins, [], 'it is not loaded');

  await writeTree(folder, pluginWith({ type: 'string' }));
  await client.call('plugin.load', { path: folder });
  await writeTree(folder, pluginWith({ $ref: '#/nowhere' }));
  assert.deepEqual(
    (await refused(client.call('plugin.reload', { plugin: 'lab.schemas' }))).issues.map(({ path }) => path),
    ['tools[1].inputSchema'],
  );
  assert.equal(
    (await client.call('tool.call', { plugin: 'lab.schemas', tool: 'checked', input: 'text' })).output,
    'fine',
  );
});

test('a schema that takes too long or too much memory is refused within its bound, while the daemon answers others', async (t) => {
  const folder = await temporaryFolder(t);
  const daemon = await startTestDaemon(t, { config: { limits: { schemaCheckMs: 8000 } } });
  const client = await daemon.connect();
  await writeTree(folder, pluginWith(huge));
  const load = refused(client.call('plugin.load', { path: folder }));
  let answered = 0;
  const ended = load.then(() => true);
  do {
    await client.call('daemon.ping', {});
    answered += 1;
  } while (!(await Promise.race([ended, new Promise((resolve) => setTimeout(() => resolve(false), 50))])));
  const { issues } = await load;
  assert.equal(issues[0]?.path, 'tools[1].inputSchema');
  assert.match(
    issues[0].message,
    /does not compile within 8000 ms|cannot be compiled: the process that tried it ended/,
  );
  assert.ok(answered > 5, `${String(answered)} pings were answered meanwhile`);
});

test("at the daemon's start the cell finds the broken schema: the other tools of the plugin work", async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, pluginWith({ type: 'objekt' }));
  const daemon = await startTestDaemon(t, { plugins: [folder] });
  const client = await daemon.connect();
  assert.equal((await client.call('tool.call', { plugin: 'lab.schemas', tool: 'good', input: null })).output, 'fine');
  await assert.rejects(
    client.call('tool.call', { plugin: 'lab.schemas', tool: 'checked', input: null }),
    /inputSchema is not a JSON Schema/,
  );
});
