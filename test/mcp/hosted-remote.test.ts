// A hosted server that is reached over HTTP: a real one, built with the official SDK.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import type { Client } from '../../protocol/client/client.ts';
import { startHttpMcpServer } from '../labs/http-mcp-server.ts';
import { connectNewer, startMcpLab } from '../labs/mcp-lab.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

const plugin = 'remote';
const secret = 'the-secret-of-the-remote-server';
const auth = { env: 'REMOTE_TOKEN', prefix: 'Bearer ' };

async function writeRemote(t: TestContext, mcp: object): Promise<string> {
  const folder = join(await temporaryFolder(t), plugin);
  mkdirSync(folder);
  const manifest = { schemaVersion: 1, id: plugin, name: 'Remote', version: '1.0.0', mcp };
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify(manifest));
  return folder;
}

interface RemoteLab {
  readonly daemon: TestDaemon;
  readonly client: Client;
  refusal(of: Promise<unknown>): Promise<HostError>;
}

async function loadRemote(t: TestContext, mcp: object, env: Record<string, string> = {}): Promise<RemoteLab> {
  const daemon = await startTestDaemon(t, { env });
  const client = await daemon.connect();
  await client.call('plugin.load', { path: await writeRemote(t, mcp) });
  return {
    daemon,
    client,
    refusal: async (of) => {
      const thrown = await of.then(
        () => assert.fail('it was not refused'),
        (error: unknown) => error,
      );
      assert.ok(thrown instanceof HostError);
      return thrown;
    },
  };
}

test('its tools are listed and called with a credential that the daemon adds', async (t) => {
  const server = await startHttpMcpServer(t, { token: secret });
  const lab = await startMcpLab(t, {
    plugins: [await writeRemote(t, { url: server.url, auth })],
    env: { REMOTE_TOKEN: secret },
  });
  const control = await lab.daemon.connect();
  await until('it runs', async () => (await control.call('tool.list', { plugin })).tools.length === 4);
  const client = await connectNewer(t, lab, 'stdio', { modern: true });
  const called = await client.callTool({ name: 'remote__echo', arguments: { a: 1 } });
  assert.deepEqual(called.structuredContent, { a: 1 });
  const failed = await client.callTool({ name: 'remote__fails', arguments: {} });
  assert.deepEqual([failed.isError, failed.content], [true, [{ type: 'text', text: 'it is not to be' }]]);
  await until('all of the progress is heard', async () => {
    const heard: number[] = [];
    await client.callTool(
      { name: 'remote__steps', arguments: {} },
      { onprogress: ({ progress }) => void heard.push(progress) },
    );
    return heard.join() === '1,2,3';
  });
  await server.addTool('more');
  await until('the new tool is listed', async () =>
    (await control.call('tool.list', { plugin })).tools.some(({ name }) => name === 'more'),
  );
  const told = JSON.stringify([
    await control.call('service.status', { plugin }),
    await control.call('timeline.read', { plugin }),
    await control.call('plugin.show', { plugin }),
    lab.daemon.log(),
  ]);
  assert.equal(told.includes(secret), false);
  assert.equal(server.sessions, 1);
  await control.call('service.stop', { plugin });
  await until('its session is over', () => server.sessions === 0);
});

test('a call that takes too long is withdrawn, and the server goes on', async (t) => {
  const server = await startHttpMcpServer(t);
  const { client, refusal } = await loadRemote(t, { url: server.url });
  await client.call('service.start', { plugin });
  const slow = await refusal(client.call('tool.call', { plugin, tool: 'slow', input: {}, timeoutMs: 200 }));
  assert.equal(slow.code, 'tool_timeout');
  await until('it was told', () => server.withdrawn === 1);
  const { output } = await client.call('tool.call', { plugin, tool: 'echo', input: { b: 2 } });
  assert.deepEqual((output as { structuredContent: unknown }).structuredContent, { b: 2 });
});

test('a server that is gone fails its calls at once, and is found again', async (t) => {
  const server = await startHttpMcpServer(t);
  const restart = { policy: 'on-failure', intensity: 100, periodMs: 60_000, backoffMs: [50, 100] };
  const { client, refusal } = await loadRemote(t, { url: server.url, restart });
  await client.call('service.start', { plugin });
  const call = refusal(client.call('tool.call', { plugin, tool: 'slow', input: {} }));
  await until(
    'the call is with it',
    async () => (await client.call('daemon.status', {})).counts.toolCallsPending === 1,
  );
  await server.close();
  const lost = await call;
  assert.equal(lost.code, 'tool_crashed');
  assert.match(lost.message, /cannot be reached/);
  await startHttpMcpServer(t, { port: server.port });
  const { output } = await client.call('tool.call', { plugin, tool: 'echo', input: { c: 3 }, timeoutMs: 30_000 });
  assert.deepEqual((output as { structuredContent: unknown }).structuredContent, { c: 3 });
});

test('what is wrong with the credential or the address is said', async (t) => {
  const server = await startHttpMcpServer(t, { token: secret });
  const other = await startHttpMcpServer(t, { redirectTo: server.url });
  const restart = { policy: 'never' };
  const trials: readonly (readonly [mcp: object, env: Record<string, string>, message: RegExp])[] = [
    [{ url: server.url, auth, restart }, {}, /REMOTE_TOKEN/],
    [{ url: server.url, auth, restart }, { REMOTE_TOKEN: 'wrong' }, /HTTP status 401/],
    [{ url: other.url, auth, restart }, { REMOTE_TOKEN: secret }, /HTTP status 307/],
    [{ url: 'http://127.0.0.1:1/mcp', restart }, {}, /cannot be reached/],
  ];
  for (const [mcp, env, message] of trials) {
    const { client, refusal, daemon } = await loadRemote(t, mcp, env);
    const refused = await refusal(client.call('service.start', { plugin }));
    assert.equal(refused.code, 'start_failed', refused.message);
    assert.match(refused.message, message);
    daemon.signal('SIGTERM');
    await daemon.ended;
  }
});
