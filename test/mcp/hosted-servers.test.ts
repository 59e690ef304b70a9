// Servers of the npm registry, hosted: what a client gets of them through Nagaya is what it gets of them directly.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { connectNewer, startMcpLab } from '../labs/mcp-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

const require = createRequire(import.meta.url);
/** Undefined where the development packages are not installed. */
function program(name: string): string | undefined {
  try {
    return join(require.resolve(`@modelcontextprotocol/server-${name}/package.json`), '..', 'dist', 'index.js');
  } catch {
    // It was left out, as `npm ci --omit=dev` does.
    return undefined;
  }
}

interface Trial {
  readonly name: string;
  args(folder: string): readonly string[];
  readonly calls: readonly { readonly tool: string; args(folder: string): Record<string, unknown> }[];
}

const trials: readonly Trial[] = [
  {
    name: 'everything',
    args: () => [],
    calls: [
      { tool: 'echo', args: () => ({ message: 'hello' }) },
      { tool: 'get-sum', args: () => ({ a: 1, b: 2 }) },
      { tool: 'get-tiny-image', args: () => ({}) },
      { tool: 'get-structured-content', args: () => ({ location: 'Chicago' }) },
      { tool: 'get-annotated-message', args: () => ({ messageType: 'error', includeImage: true }) },
      { tool: 'get-resource-links', args: () => ({ count: 2 }) },
      { tool: 'get-resource-reference', args: () => ({ resourceType: 'Blob', resourceId: 1 }) },
      { tool: 'echo', args: () => ({ message: 7 }) },
    ],
  },
  {
    name: 'filesystem',
    args: (folder) => [folder],
    calls: [
      { tool: 'write_file', args: (folder) => ({ path: join(folder, 'b.txt'), content: 'two' }) },
      { tool: 'read_text_file', args: (folder) => ({ path: join(folder, 'b.txt') }) },
      { tool: 'list_directory', args: (folder) => ({ path: folder }) },
      { tool: 'read_text_file', args: (folder) => ({ path: join(folder, 'b.txt'), head: 1 }) },
      { tool: 'read_multiple_files', args: (folder) => ({ paths: [join(folder, 'a.txt'), join(folder, 'c.txt')] }) },
      { tool: 'read_media_file', args: (folder) => ({ path: join(folder, 'a.txt') }) },
      {
        tool: 'edit_file',
        args: (folder) => ({
          path: join(folder, 'b.txt'),
          edits: [{ oldText: 'two', newText: 'three' }],
          dryRun: true,
        }),
      },
      { tool: 'create_directory', args: (folder) => ({ path: join(folder, 'more') }) },
      { tool: 'directory_tree', args: (folder) => ({ path: folder }) },
      { tool: 'search_files', args: (folder) => ({ path: folder, pattern: '*.txt' }) },
      { tool: 'list_allowed_directories', args: () => ({}) },
      { tool: 'read_text_file', args: () => ({ path: '/etc/passwd' }) },
    ],
  },
  {
    name: 'memory',
    args: () => [],
    calls: [
      { tool: 'read_graph', args: () => ({}) },
      {
        tool: 'create_entities',
        args: () => ({
          entities: ['Ada', 'Grace'].map((name) => ({ name, entityType: 'person', observations: ['writes'] })),
        }),
      },
      {
        tool: 'create_relations',
        args: () => ({ relations: [{ from: 'Ada', to: 'Grace', relationType: 'precedes' }] }),
      },
      {
        tool: 'add_observations',
        args: () => ({ observations: [{ entityName: 'Ada', contents: ['computes', 'ü 🙂'] }] }),
      },
      { tool: 'open_nodes', args: () => ({ names: ['Ada'] }) },
      { tool: 'search_nodes', args: () => ({ query: 'compute' }) },
      { tool: 'delete_entities', args: () => ({ entityNames: ['Grace'] }) },
      { tool: 'add_observations', args: () => ({ observations: [{ entityName: 'Nobody', contents: ['is'] }] }) },
      { tool: 'read_graph', args: () => ({}) },
    ],
  },
];

async function directClient(t: TestContext, args: string[], env: Record<string, string>): Promise<Client> {
  const client = new Client({ name: 'nagaya-test', version: '1.0.0' });
  await client.connect(new StdioClientTransport({ command: process.execPath, args, env, stderr: 'ignore' }));
  t.after(() => client.close());
  return client;
}

for (const { name, args, calls } of trials) {
  const file = program(name);
  const skip = file === undefined ? `@modelcontextprotocol/server-${name} is not installed` : false;
  test(`server-${name} answers through Nagaya as it does directly`, { skip }, async (t) => {
    const folder = await temporaryFolder(t);
    const files = join(folder, 'files');
    mkdirSync(files);
    writeFileSync(join(files, 'a.txt'), 'one');
    const command = [file ?? '', ...args(files)];
    // Each has a memory of its own.
    const env = { MEMORY_FILE_PATH: join(folder, 'hosted.jsonl') };
    const plugin = join(folder, 'plugin');
    mkdirSync(plugin);
    const mcp = { command: process.execPath, args: command };
    const manifest = { schemaVersion: 1, id: name, name, version: '1.0.0', env: Object.keys(env), mcp };
    writeFileSync(join(plugin, 'plugin.json'), JSON.stringify(manifest));

    const lab = await startMcpLab(t, { plugins: [plugin], env });
    const control = await lab.daemon.connect();
    await until('the server runs', async () => (await control.call('tool.list', { plugin: name })).tools.length > 0);
    const direct = await directClient(t, command, { MEMORY_FILE_PATH: join(folder, 'direct.jsonl') });
    const hosted = await connectNewer(t, lab, 'stdio', { modern: false });
    const listed = (await direct.listTools()).tools;
    const through = (await hosted.listTools()).tools.filter(({ name: tool }) => tool.startsWith(`${name}__`));
    const own = (tool: string): string => `${name}__${tool}`;
    assert.deepEqual(
      through.map((tool) => tool.name),
      listed.map((tool) => own(tool.name)).sort(),
    );
    for (const tool of listed) {
      const same = through.find((one) => one.name === own(tool.name));
      assert.equal(same?.description, tool.description);
      assert.deepEqual(same?.inputSchema, tool.inputSchema);
      assert.deepEqual(same?.outputSchema, tool.outputSchema);
    }
    for (const call of calls) {
      const given = call.args(files);
      const expected = await direct.callTool({ name: call.tool, arguments: given });
      const got = await hosted.callTool({ name: own(call.tool), arguments: given });
      assert.deepEqual(got, expected, call.tool);
    }
    if (name !== 'everything') return;
    const { resources } = await direct.listResources();
    assert.deepEqual((await hosted.listResources()).resources, resources);
    const uri = resources[0]?.uri ?? '';
    assert.deepEqual(await hosted.readResource({ uri }), await direct.readResource({ uri }));
    const { resourceTemplates } = await direct.listResourceTemplates();
    assert.deepEqual((await hosted.listResourceTemplates()).resourceTemplates, resourceTemplates);
    const { prompts } = await direct.listPrompts();
    assert.deepEqual(
      (await hosted.listPrompts()).prompts.map((prompt) => prompt.name),
      prompts.map((prompt) => own(prompt.name).replaceAll(/[^A-Za-z0-9_-]/g, '_')),
    );
    for (const [prompt, given] of [
      ['simple-prompt', {}],
      ['args-prompt', { city: 'Utrecht', state: 'Utrecht' }],
      ['args-prompt', { city: 'Utrecht' }],
    ] as const)
      assert.deepEqual(
        await hosted.getPrompt({ name: own(prompt), arguments: given }),
        await direct.getPrompt({ name: prompt, arguments: given }),
      );
    const heard: number[] = [];
    await hosted.callTool(
      { name: own('trigger-long-running-operation'), arguments: { duration: 1, steps: 4 } },
      { onprogress: ({ progress }) => void heard.push(progress) },
    );
    // The SDK's client may drop a report that comes together with the answer.
    assert.deepEqual(heard.slice(0, 3), [1, 2, 3]);
  });
}
