// Calls of a hosted server's tools are counted and timed as those of every plugin.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadServer, plugin } from '../labs/hosted-lab.ts';
import { ask } from '../labs/http-client.ts';

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
