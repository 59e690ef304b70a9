// Workers over MCP: three tools, where the operator has turned them on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectNewer, startMcpLab } from '../labs/mcp-lab.ts';
import { labFolder } from '../labs/profile-lab.ts';

const names = ['nagaya__read_worker', 'nagaya__send_to_worker', 'nagaya__start_worker'];

interface Read {
  readonly state: string;
  readonly answered: boolean;
  readonly items: readonly { readonly role: string; readonly content: string }[];
  readonly nextStart: number;
}

test('a worker is started, told something and read', async (t) => {
  const lab = await startMcpLab(t, { plugins: [labFolder], config: { mcp: { workers: true } } });
  for (const modern of [false, true]) {
    const client = await connectNewer(t, lab, 'http', { modern });
    const call = async <Result>(name: string, args: Record<string, unknown>): Promise<Result> => {
      const { structuredContent, isError, content } = await client.callTool({ name, arguments: args });
      assert.notEqual(isError, true, JSON.stringify(content));
      return structuredContent as Result;
    };
    const listed = (await client.listTools()).tools.filter(({ name }) => name.startsWith('nagaya__'));
    assert.deepEqual(
      listed.map(({ name }) => name),
      names,
    );
    const { workerId } = await call<{ workerId: string }>('nagaya__start_worker', { intent: 'to be asked' });
    const { eventId } = await call<{ eventId: string }>('nagaya__send_to_worker', { workerId, content: 'hello' });
    const read = await call<Read>('nagaya__read_worker', { workerId, eventId, waitMs: 30_000 });
    assert.equal(read.answered, true);
    assert.deepEqual([read.items[0]?.role, read.items[0]?.content], ['user', 'hello']);
    assert.equal(read.items[1]?.role, 'worker');
    const rest = await call<Read>('nagaya__read_worker', { workerId, start: read.nextStart, waitMs: 0 });
    assert.deepEqual(rest.items, []);

    const refused = await client.callTool({ name: 'nagaya__send_to_worker', arguments: { workerId } });
    assert.equal(refused.isError, true);
    assert.match(JSON.stringify(refused.content), /content is missing[^]*tool_input_invalid/);
    const unknown = await client.callTool({ name: 'nagaya__read_worker', arguments: { workerId: 'nobody' } });
    assert.match(JSON.stringify(unknown.content), /worker_not_found/);
  }
});

test('workers are not offered unless the operator says so, and can be denied by name', async (t) => {
  const usual = await startMcpLab(t, { plugins: [labFolder] });
  const client = await connectNewer(t, usual, 'stdio', { modern: true });
  assert.deepEqual((await client.listTools()).tools, []);
  await assert.rejects(client.callTool({ name: 'nagaya__start_worker', arguments: { intent: 'x' } }), /Unknown tool/);
  const config = { mcp: { workers: true, expose: { deny: ['nagaya/start_*'] } } };
  const denied = await startMcpLab(t, { plugins: [labFolder], config });
  const { tools } = await (await connectNewer(t, denied, 'stdio', { modern: true })).listTools();
  assert.deepEqual(
    tools.map(({ name }) => name),
    names.slice(0, 2),
  );
});
