// Calls of a hosted server's tools are counted and timed as those of every plugin.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerListener } from '../../daemon/mcp/mcp-gateway.ts';
import type { ToMcpThread } from '../../protocol/mcp/messages.ts';
import { loadServer, plugin } from '../labs/hosted-lab.ts';
import { ask } from '../labs/http-client.ts';
import { mcpWith } from '../labs/no-mcp.ts';

test('the host itself writes a call to a process, and the MCP thread hears of it before what the process says', () => {
  const told: ToMcpThread[] = [];
  const texts: string[] = [];
  const gateway = mcpWith(() => ({ post: (message) => told.push(message), end: () => Promise.resolve() }));
  const listener = { text: (text: string) => texts.push(text) } as unknown as ServerListener;
  const options = { plugin: 'p', outputBytes: 1000, requestMs: 1000, passOnMs: 1000, passOn: false };
  const server = gateway.openServer(options, listener);
  const types = (): string[] => told.splice(0).map(({ type }) => type);
  types();
  server.call(1, 'a "b"', '{"c":1}');
  server.call(2, 'd', '{}');
  assert.deepEqual(types(), []);
  const requests = texts.map(
    (text) => JSON.parse(text) as { id: number; params: { _meta: { progressToken: number } } },
  );
  assert.deepEqual(requests[0], {
    jsonrpc: '2.0',
    id: 3,
    method: 'tools/call',
    params: { name: 'a "b"', arguments: { c: 1 }, _meta: { progressToken: 3 } },
  });
  assert.deepEqual(
    requests.map(({ id }) => id % 2),
    [1, 1],
    'the ids of the MCP thread are even',
  );
  server.push(Buffer.from('x'));
  assert.deepEqual(types(), ['serverCall', 'serverCall', 'serverBytes']);
  server.call(3, 'd', '{}');
  server.cancel(3, 'why');
  assert.deepEqual(types(), ['serverCall', 'serverCancel']);
  const remote = gateway.openServer({ ...options, remote: { url: 'http://x/', headers: [] } }, listener);
  types();
  remote.call(1, 'd', '{}');
  assert.deepEqual(types(), ['serverCall']);
  assert.equal(texts.length, 3);
});

test('calls of a hosted server are in its usage, in the metrics, in the status of the daemon and in what explain says', async (t) => {
  const { client, daemon, call, refusal } = await loadServer(t, 'none');
  await client.call('service.start', { plugin });
  await call('pid');
  await call('pid');
  assert.equal((await refusal('nothing of that name')).code, 'tool_not_found');
  const { plugins } = await client.call('usage.list', {});
  const { tools, service } = plugins[0] ?? assert.fail();
  assert.deepEqual(tools?.calls, { ok: 2 });
  assert.equal(tools?.runMs.count, 2);
  assert.equal(service?.eventLoopUtilization, 0, 'a program that is not ours does not tell it');
  const { text } = await ask(daemon.socket, 'GET', '/metrics');
  assert.match(text, /^nagaya_tool_calls_total\{plugin="test\.server",tool="pid",outcome="ok"\} 2$/m);
  assert.match(text, /^nagaya_mcp_servers 1$/m);
  const { explanation } = await client.call('event.explain', { plugin });
  assert.ok(explanation.some(({ what }) => what.startsWith('Its tools were called 2 times: all were answered.')));
  const { mcp } = await client.call('daemon.status', {});
  assert.deepEqual(mcp, { connections: 0, requests: 0, calls: 0, servers: 1, running: true });
});
