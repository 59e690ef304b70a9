// What the operator configures for a plugin holds without the plugin being edited, and is said.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pluginOverride } from '../../daemon/config/schema.ts';
import { issuesOfReading, read, serviceManifest, toolManifest } from '../labs/manifest-lab.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

const both = {
  ...serviceManifest,
  id: 'example.both',
  env: ['A'],
  limits: { heapMb: 64, rssMb: 100 },
  tools: [{ name: 'greet', timeoutMs: 700 }, { name: 'part' }],
};

test('an override changes what it names, lists it by path, and leaves the rest as the manifest has it', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin.json': both, 'index.js': '' });
  const override = pluginOverride.parse({
    enabled: false,
    autostart: false,
    isolation: 'process',
    env: ['B', 'C'],
    config: { greeting: 'hello' },
    limits: { heapMb: 256 },
    queue: { capacity: 7 },
    timeouts: { handleMs: 50 },
    tools: { greet: { isolation: 'fresh' } },
  });
  const plugin = read(folder, { 'example.both': override });
  const { manifest } = plugin;
  assert.deepEqual([...plugin.overridden].sort(), [
    'env',
    'isolation',
    'limits.heapMb',
    'service.queue.capacity',
    'service.timeouts.handleMs',
    'tools.greet.isolation',
  ]);
  assert.deepEqual(
    { enabled: plugin.enabled, autostart: plugin.autostart, config: plugin.config },
    { enabled: false, autostart: false, config: { greeting: 'hello' } },
  );
  assert.deepEqual(
    [manifest.isolation, manifest.env, manifest.limits.heapMb, manifest.limits.rssMb],
    ['process', ['B', 'C'], 256, 100],
  );
  assert.deepEqual(
    [manifest.service?.queue.capacity, manifest.service?.timeouts.handleMs, manifest.service?.timeouts.startMs],
    [7, 50, 10_000],
  );
  assert.deepEqual(
    manifest.tools.map((tool) => [tool.name, tool.isolation, tool.timeoutMs]),
    [
      ['greet', 'fresh', 700],
      ['part', 'pooled', 10_000],
    ],
  );
});

test('restart and retry can be overridden part by part', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin.json': serviceManifest, 'index.js': '' });
  const { manifest, overridden } = read(folder, {
    'example.service': { restart: { policy: 'never' }, retry: { maxAttempts: 1 } },
  });
  assert.deepEqual(
    [manifest.service?.restart.policy, manifest.service?.restart.intensity, manifest.service?.retry.maxAttempts],
    ['never', 5, 1],
  );
  assert.deepEqual([...overridden].sort(), ['service.restart.policy', 'service.retry.maxAttempts']);
});

test("a profile's time can be overridden, and a profile that there is not is refused", async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, {
    'plugin.json': { ...toolManifest, profiles: [{ name: 'chat' }, { name: 'plan' }] },
    'index.js': '',
  });
  const { manifest, overridden } = read(folder, { 'example.tool': { profiles: { chat: { timeoutMs: 5 } } } });
  assert.deepEqual(
    manifest.profiles.map(({ name, timeoutMs }) => [name, timeoutMs]),
    [
      ['chat', 5],
      ['plan', 120_000],
    ],
  );
  assert.deepEqual(overridden, ['profiles.chat.timeoutMs']);
  const issues = issuesOfReading(folder, { 'example.tool': { profiles: { chad: { timeoutMs: 5 } } } });
  assert.deepEqual(issues, [
    {
      path: 'plugins.overrides.example.tool.profiles.chad',
      message: 'the plugin has no such profile; did you mean "chat"?',
    },
  ]);
});

test("a hosted MCP server's deadlines, restarts and concurrency can be overridden, as parts of mcp", async (t) => {
  const folder = await temporaryFolder(t);
  const hosting = { schemaVersion: 1, id: 'example.hosting', name: 'H', version: '1.0.0', mcp: { command: 'node' } };
  await writeTree(folder, { 'plugin.json': hosting });
  const { manifest, overridden } = read(folder, {
    'example.hosting': { mcp: { concurrency: 3, timeouts: { callMs: 7 }, restart: { intensity: 9 } } },
  });
  const { concurrency, timeouts, restart } = manifest.mcp ?? assert.fail();
  assert.deepEqual([concurrency, timeouts.callMs, timeouts.startMs], [3, 7, 60_000]);
  assert.deepEqual([restart.intensity, restart.policy], [9, 'on-failure']);
  assert.deepEqual([...overridden].sort(), ['mcp.concurrency', 'mcp.restart.intensity', 'mcp.timeouts.callMs']);
  const where = 'plugins.overrides.example.hosting';
  assert.deepEqual(
    issuesOfReading(folder, { 'example.hosting': { timeouts: { startMs: 5 }, queue: { capacity: 3 } } }),
    [
      { path: `${where}.queue`, message: 'the plugin has no service; remove this override' },
      { path: `${where}.timeouts`, message: 'the plugin hosts an MCP server; write this as mcp.timeouts' },
    ],
  );
  await writeTree(folder, { 'plugin.json': toolManifest, 'index.js': '' });
  assert.deepEqual(issuesOfReading(folder, { 'example.tool': { mcp: { concurrency: 3 } } }), [
    { path: 'plugins.overrides.example.tool.mcp', message: 'the plugin hosts no MCP server; remove this override' },
  ]);
});

test('an override that says what the manifest says changes nothing', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin.json': both, 'index.js': '' });
  const plugin = read(folder, {
    'example.both': { env: ['A'], limits: { heapMb: 64 }, tools: { greet: { timeoutMs: 700 } } },
  });
  assert.deepEqual(plugin.overridden, []);
});

test('an override that hits nothing is refused by its path in the configuration', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin.json': toolManifest, 'index.js': '' });
  const issues = issuesOfReading(folder, {
    'example.tool': { tools: { great: { timeoutMs: 5 } }, queue: { capacity: 3 }, timeouts: { stopMs: 3 } },
  });
  assert.deepEqual(issues, [
    {
      path: 'plugins.overrides.example.tool.tools.great',
      message: 'the plugin has no such tool; did you mean "greet"?',
    },
    { path: 'plugins.overrides.example.tool.queue', message: 'the plugin has no service; remove this override' },
    { path: 'plugins.overrides.example.tool.timeouts', message: 'the plugin has no service; remove this override' },
  ]);
});

test("overrides of other plugins, also of one named like an object's own parts, do not reach this one", async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin.json': { ...toolManifest, id: 'constructor' }, 'index.js': '' });
  const plugin = read(folder, { 'example.other': { enabled: false } });
  assert.deepEqual([plugin.enabled, plugin.overridden], [true, []]);
});
