// However a hosted server lists its resources and prompts, the lists that MCP clients get are bounded, have a form that
// they know, come in time, and hold what the other servers list.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type McpLab, connectNewer, startMcpLab } from '../labs/mcp-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';
import { sharedOut } from '../../workers/mcp/passed-lists.ts';

const programOf = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/mcp/servers/${name}.mjs`, import.meta.url));

const patienceMs = 60_000;
const soonMs = { timeouts: { callMs: 500 } };
interface Listing {
  readonly how: object;
  readonly mcp?: object;
}

const servers: Readonly<Record<string, Listing>> = {
  odd: { how: { odd: true } },
  endless: { how: { pages: 1_000_000, each: 2 } },
  many: { how: { each: 20_000 } },
  fat: { how: { each: 3, padding: 2_000_000 } },
  silent: { how: { silent: ['resources/list', 'resources/templates/list', 'prompts/list'] }, mcp: soonMs },
  mute: { how: { silent: ['resources/read', 'prompts/get'] }, mcp: soonMs },
};

async function startServers(t: TestContext): Promise<McpLab> {
  const folder = await temporaryFolder(t);
  const made = Object.entries<Listing>({ ...servers, watched: { how: {} } }).map(([id, { how, mcp }]) => {
    const args = id === 'watched' ? [programOf('watched')] : [programOf('crowded'), id, JSON.stringify(how)];
    const manifest = {
      schemaVersion: 1,
      id,
      name: id,
      version: '1.0.0',
      mcp: { command: process.execPath, args, ...mcp },
    };
    mkdirSync(join(folder, id));
    writeFileSync(join(folder, id, 'plugin.json'), JSON.stringify(manifest));
    return join(folder, id);
  });
  const lab = await startMcpLab(t, { plugins: made });
  const control = await lab.daemon.connect();
  for (const plugin of [...Object.keys(servers), 'watched'])
    await until(
      `${plugin} runs`,
      async () => (await control.call('service.status', { plugin })).lifecycle === 'running',
      patienceMs,
    );
  return lab;
}

test('servers that list too much, nonsense or nothing spoil nobody else’s list', async (t) => {
  const lab = await startServers(t);
  const client = await connectNewer(t, lab, 'http', { modern: false });
  const { resources } = await client.listResources();
  const of = (id: string): number => resources.filter(({ uri }) => uri.startsWith(`${id}:`)).length;
  assert.equal(resources.length, 10_000, 'the bound of all together');
  assert.deepEqual(
    [of('watched'), of('odd'), of('fat'), of('silent'), of('mute')],
    [2, 2, 2, 0, 1],
    'what is within the bounds and has a form is listed',
  );
  assert.ok(of('endless') <= 200, 'a hundred pages at most');
  assert.equal(of('many'), 10_000 - 7 - of('endless'));
  const { resourceTemplates } = await client.listResourceTemplates();
  assert.ok(resourceTemplates.some(({ uriTemplate }) => uriTemplate === 'watched:at/{place}'));
  const { prompts } = await client.listPrompts();
  assert.equal(prompts.length, 10_000);
  assert.ok(prompts.some(({ name }) => name === 'watched__greet_politely'));
  // What is asked for by name is found beside them.
  assert.equal((await client.readResource({ uri: 'watched:one' })).contents.length, 1);
  const got = await client.getPrompt({ name: 'watched__greet_politely', arguments: { who: 'Ada' } });
  assert.equal(got.messages.length, 1);
  // A server that lists and then does not answer holds up its own clients for its callMs.
  await assert.rejects(client.readResource({ uri: 'mute:0-0' }), /did not answer resources\/read within 500 ms/);
  await assert.rejects(client.getPrompt({ name: 'mute__0-0' }), /did not answer prompts\/get within 500 ms/);
  // The operator can see what is left out.
  const control = await lab.daemon.connect();
  for (const [plugin, words] of [
    ['odd', /that MCP has no form for/],
    ['many', /more than 10000 items/],
    ['fat', /4194304 bytes/],
  ] as const) {
    const { lines } = await control.call('log.read', { plugin });
    assert.match(JSON.stringify(lines), words, plugin);
  }
});

test('short lists stay whole, and long ones share what is left', () => {
  const lists = [['a', 'a', 'a', 'a', 'a', 'a'], ['b'], ['c', 'c', 'c', 'c'], []];
  assert.equal(sharedOut(lists, 7).join(''), 'aaabccc');
  assert.equal(sharedOut(lists, 100).join(''), 'aaaaaabcccc');
  assert.equal(sharedOut(lists, 0).join(''), '');
});
