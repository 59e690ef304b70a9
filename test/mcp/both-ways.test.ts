// A call that says more than its tool and its arguments goes another way through the daemon than a plain one. Whichever
// way it goes, its client hears the same, and it is counted the same: when it is answered, refused, late, withdrawn,
// and when its plugin or its server goes away under it.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Client } from '../../protocol/client/client.ts';
import { mcpFixtures, startMcpLab } from '../labs/mcp-lab.ts';
import { type LineClient, connectLines, startRelay, toolCall, untilItCalls } from '../labs/mcp-lines.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writtenIn } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';
import { writePlugin } from '../labs/written-plugin.ts';

const patienceMs = 60_000;
const written = 'test.written';
const hosted = { 'test.server': {}, 'test.late': { timeouts: { callMs: 300 } } };

const files = {
  'index.js': `import { writeFileSync } from 'node:fs';
export const tools = {
  big: () => 'x'.repeat(5000),
  odd: () => ({ f() {} }),
  nothing: () => undefined,
  wrong: () => ({ a: 'text' }),
  exits: () => process.exit(3),
  rejects: () => Promise.reject('text'),
  spin() { for (;;); },
  async hang({ path }, ctx) {
    writeFileSync(path, 'running');
    ctx.signal.addEventListener('abort', () => writeFileSync(path, 'aborted'));
    await new Promise(() => {});
  },
};`,
};
const manifest = {
  tools: [
    ...['big', 'odd', 'nothing', 'rejects', 'hang'].map((name) => ({ name, timeoutMs: 60_000 })),
    { name: 'wrong', outputSchema: { type: 'object', properties: { a: { type: 'number' } } } },
    { name: 'exits', isolation: 'fresh', timeoutMs: 60_000 },
    { name: 'spin', isolation: 'fresh', timeoutMs: 100 },
  ],
};

/** Each is answered without anything being done meanwhile. */
const cases: readonly (readonly [name: string, args?: object])[] = [
  ['echo', { a: 1 }],
  ['text', { input: 'it' }],
  ['list'],
  ['image'],
  ['steps'],
  ['echo', { a: 'one' }],
  ['text', {}],
  ['text', { input: 5 }],
  ['throws'],
  ['slow'],
  ['none'],
  ['test_none__echo'],
  ['echo', { text: 'x'.repeat(9000) }],
  ...['big', 'odd', 'nothing', 'wrong', 'exits', 'rejects', 'spin'].map((name) => [`test_written__${name}`] as const),
  ['test_late__hang'],
  ...['echo', 'huge', 'odd_name_with_slash'].map((name) => [`test_server__${name}`] as const),
];

/** How long things took differs, and where a call was when its time was over is not always found in time. */
const comparable = (answer: unknown): unknown =>
  JSON.parse(JSON.stringify(answer ?? null).replaceAll(/\d+ ms([:;][^"]*?(?=\\n|"))?/g, 'N ms')) as unknown;

type Story = Record<string, unknown>;

interface Way {
  readonly client: LineClient;
  /** What its calls say beside the tool and the arguments. */
  readonly more: object;
}

/** Everything that one way is asked, and what came of it. */
async function storyOf({ client, more }: Way, control: Client, folder: string): Promise<Story> {
  const { heard, say } = client;
  const story: Story = {};
  const ask = (id: string, name: string, args?: object): void => {
    const call = toolCall(id, name, args) as { readonly params: object };
    say({ ...call, params: { ...call.params, ...more } });
  };
  for (const plugin of Object.keys(hosted))
    await until(
      `${plugin} runs`,
      async () => (await control.call('service.status', { plugin })).lifecycle === 'running',
      patienceMs,
    );
  const before = await callsOf(control);
  const tell = async (id: string): Promise<void> => {
    await until(`${id} is answered`, () => heard.has(id), patienceMs);
    story[id] = comparable(heard.get(id));
  };
  for (const [at, [name, args]] of cases.entries()) ask(`${String(at)} ${name}`, name, args);
  for (const [at, [name]] of cases.entries()) await tell(`${String(at)} ${name}`);
  // Nobody else is with the server when it dies.
  ask('dies', 'test_server__die');
  await tell('dies');
  const path = join(folder, 'hang');
  const hang = async (id: string, then: () => unknown): Promise<void> => {
    writeFileSync(path, '');
    ask(id, 'test_written__hang', { path });
    await until(`${id} runs`, async () => (await writtenIn(path)) === 'running', patienceMs);
    await then();
  };
  const pending = async (): Promise<number> => (await control.call('daemon.status', {})).counts.toolCallsPending;
  await hang('withdrawn', () =>
    say({ method: 'notifications/cancelled', params: { requestId: 'withdrawn', reason: 'enough' } }),
  );
  await until('it is told', async () => (await writtenIn(path)) === 'aborted', patienceMs);
  await until('nothing is pending', async () => (await pending()) === 0, patienceMs);
  // An id may be used again when its request was withdrawn.
  ask('withdrawn', 'echo', { a: 2 });
  await tell('withdrawn');
  story['counted'] = difference(before, await callsOf(control));
  await hang('unloaded', () => control.call('plugin.unload', { plugin: written }));
  await tell('unloaded');
  let tries = 0;
  await until(
    'its tool is unknown',
    async () => {
      const id = `gone ${String((tries += 1))}`;
      ask(id, 'test_written__nothing');
      await until('it is answered', () => heard.has(id), patienceMs);
      story['gone'] = comparable({ ...heard.get(id), id: 'gone' });
      return heard.get(id)?.error?.message.startsWith('Unknown tool') === true;
    },
    patienceMs,
  );
  return story;
}

type Counts = Readonly<Record<string, number>>;

async function callsOf(control: Client): Promise<Counts> {
  const { plugins } = await control.call('usage.list', {});
  return Object.fromEntries(
    plugins.flatMap(({ plugin, tools }) =>
      Object.entries(tools?.calls ?? {}).map(([outcome, count]) => [`${plugin} ${outcome}`, count]),
    ),
  );
}

const difference = (before: Counts, after: Counts): Counts =>
  Object.fromEntries(Object.entries(after).map(([key, count]) => [key, count - (before[key] ?? 0)]));

test('a call is answered, refused, withdrawn, ended and counted the same, whichever way it goes', async (t) => {
  const folder = await temporaryFolder(t);
  const pluginFolder = writePlugin(join(folder, 'written'), { manifest, files });
  const program = fileURLToPath(new URL('../fixtures/mcp/servers/misbehaving.mjs', import.meta.url));
  const restart = { policy: 'on-failure', intensity: 100, periodMs: 60_000, backoffMs: [1, 20] };
  const servers = Object.entries(hosted).map(([id, more]) => {
    const mcp = { command: process.execPath, args: [program, 'none'], restart, ...more };
    mkdirSync(join(folder, id));
    writeFileSync(
      join(folder, id, 'plugin.json'),
      JSON.stringify({ schemaVersion: 1, id, name: id, version: '1.0.0', mcp }),
    );
    return join(folder, id);
  });
  const config = { limits: { toolInputBytes: 8192, toolOutputBytes: 4096 } };
  const lab = await startMcpLab(t, { plugins: [join(mcpFixtures, 'tools'), pluginFolder, ...servers], config });
  const control = await lab.daemon.connect();
  const relay = await startRelay(t, lab);
  await untilItCalls(relay, control);
  const straight = await connectLines(t, lab);
  const ways: Readonly<Record<string, Way>> = {
    'plain, made by nagaya mcp': { client: relay, more: {} },
    'plain, answered by the MCP thread': { client: straight, more: {} },
    'with a token, read by the SDK': { client: await startRelay(t, lab), more: { _meta: { progressToken: 'token' } } },
    'with _meta, read by the SDK': { client: await connectLines(t, lab), more: { _meta: { 'test/more': 1 } } },
  };
  let first: Story = {};
  for (const [way, how] of Object.entries(ways)) {
    const story = await storyOf(how, control, folder);
    if (Object.keys(first).length === 0) first = story;
    assert.deepEqual(story, first, way);
    await control.call('plugin.load', { path: pluginFolder });
    await until(
      'its tools are known again',
      async () => (await control.call('mcp.tools', {})).tools.some(({ plugin }) => plugin === written),
      patienceMs,
    );
  }
  assert.match(JSON.stringify(first['unloaded']), /tool_cancelled/);
  assert.match(JSON.stringify(first['counted']), /"test\.written tool_cancelled":1/);
});
