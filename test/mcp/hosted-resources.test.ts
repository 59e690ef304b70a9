// Resources, prompts, completions and subscriptions of hosted servers reach MCP clients, in both eras of the protocol.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type McpLab, connectNewer, connectOlder, startMcpLab } from '../labs/mcp-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

const program = fileURLToPath(new URL('../fixtures/mcp/servers/watched.mjs', import.meta.url));
const plugin = 'watched';

interface WatchedLab extends McpLab {
  tool(name: string, input?: object): Promise<string>;
  /** Until what the server was asked to watch is this. */
  watches(uris: string): Promise<void>;
}

async function startWatched(t: TestContext): Promise<WatchedLab> {
  const folder = join(await temporaryFolder(t), plugin);
  mkdirSync(folder);
  const restart = { policy: 'on-failure', intensity: 100, periodMs: 60_000, backoffMs: [20, 50] };
  const mcp = { command: process.execPath, args: [program], restart };
  const manifest = { schemaVersion: 1, id: plugin, name: 'Watched', version: '1.0.0', mcp };
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify(manifest));
  const lab = await startMcpLab(t, { plugins: [folder] });
  const control = await lab.daemon.connect();
  await until('it runs', async () => (await control.call('tool.list', { plugin })).tools.length > 0);
  const tool = async (name: string, input: object = {}): Promise<string> => {
    const { output } = await control.call('tool.call', { plugin, tool: name, input, timeoutMs: 30_000 });
    return (output as { content: { text: string }[] }).content[0]?.text ?? '';
  };
  return {
    ...lab,
    tool,
    watches: async (uris) => await until(`it watches ${uris}`, async () => (await tool('subscribed')) === uris, 30_000),
  };
}

test('resources are read, prompts got and arguments completed as the server has them', async (t) => {
  const lab = await startWatched(t);
  const clients = [
    await connectOlder(t, lab, 'http'),
    await connectNewer(t, lab, 'stdio', { modern: false }),
    await connectNewer(t, lab, 'http', { modern: true }),
  ];
  for (const client of clients) {
    const read = await client.readResource({ uri: 'watched:one' });
    assert.deepEqual(read.contents, [{ uri: 'watched:one', mimeType: 'text/plain', text: 'This is watched:one.' }]);
    const fromTemplate = await client.readResource({ uri: 'watched:at/home' });
    assert.equal(fromTemplate.contents.length, 1);
    const got = await client.getPrompt({ name: 'watched__greet_politely', arguments: { who: 'Ada' } });
    assert.deepEqual(got.messages, [{ role: 'user', content: { type: 'text', text: 'Good evening, Ada.' } }]);
    await assert.rejects(client.getPrompt({ name: 'watched__none', arguments: {} }), /Unknown prompt/);
    const prompt = { type: 'ref/prompt' as const, name: 'watched__greet_politely' };
    const completed = await client.complete({ ref: prompt, argument: { name: 'who', value: 'A' } });
    assert.deepEqual(completed.completion.values, ['greet/politely A…']);
    const template = { type: 'ref/resource' as const, uri: 'watched:at/{place}' };
    const place = await client.complete({ ref: template, argument: { name: 'place', value: 'h' } });
    assert.deepEqual(place.completion.values, ['watched:at/{place} h…']);
  }
});

for (const way of ['stdio', 'http'] as const)
  test(`over ${way} in the older era, a client hears of changes of what it has subscribed to`, async (t) => {
    const lab = await startWatched(t);
    const heard: string[] = [];
    const changed: string[] = [];
    const client = await connectNewer(t, lab, way, { modern: false });
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => void heard.push(params.uri));
    client.setNotificationHandler('notifications/resources/list_changed', () => void changed.push('resources'));
    client.setNotificationHandler('notifications/prompts/list_changed', () => void changed.push('prompts'));
    await client.subscribeResource({ uri: 'watched:one' });
    await lab.watches('watched:one');
    await until('the change is heard', async () => {
      await lab.tool('touch', { uri: 'watched:two' });
      await lab.tool('touch', { uri: 'watched:one' });
      return heard.length > 0;
    });
    assert.deepEqual([...new Set(heard)], ['watched:one']);
    await lab.tool('change');
    await until('the changes of the lists are heard', () => new Set(changed).size === 2);
    // A server that was restarted is asked again.
    await assert.rejects(lab.tool('die'));
    await lab.watches('watched:one');
    await client.unsubscribeResource({ uri: 'watched:one' });
    await lab.watches('');
    await client.subscribeResource({ uri: 'watched:two' });
    await client.close();
    if (way === 'stdio') await lab.watches('');
  });

for (const way of ['stdio', 'http'] as const)
  test(`over ${way} in the newer era, a client hears of changes of what it listens to`, async (t) => {
    const lab = await startWatched(t);
    const heard: string[] = [];
    const client = await connectNewer(t, lab, way, { modern: true });
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => void heard.push(params.uri));
    const listening = await client.listen({ resourceSubscriptions: ['watched:one'] });
    await lab.watches('watched:one');
    await until('the change is heard', async () => {
      await lab.tool('touch', { uri: 'watched:two' });
      await lab.tool('touch', { uri: 'watched:one' });
      return heard.length > 0;
    });
    assert.deepEqual([...new Set(heard)], ['watched:one']);
    await listening.close();
    await client.close();
    await lab.watches('');
  });
