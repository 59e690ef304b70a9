// `nagaya mcp` makes the plain calls of its client itself, and a client cannot tell: answers, refusals, withdrawals,
// bounds and ends are those of any other call.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Client } from '../../protocol/client/client.ts';
import { type McpLab, startMcpLab } from '../labs/mcp-lab.ts';
import { type LineAnswer, type Relay, linesOf, startRelay, toolCall, untilItCalls } from '../labs/mcp-lines.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writtenIn } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

const patienceMs = 60_000;

async function callingRelay(t: TestContext, config: object = {}): Promise<Relay & { lab: McpLab; control: Client }> {
  const lab = await startMcpLab(t, { config });
  const relay = await startRelay(t, lab);
  const control = await lab.daemon.connect();
  await untilItCalls(relay, control);
  return { ...relay, lab, control };
}

const textOf = (answer: LineAnswer | undefined): string => answer?.result?.content?.[0]?.text ?? '';

test('calls of the relay are answered and refused as those of the MCP thread are', async (t) => {
  const { heard, say, child, lab } = await callingRelay(t);
  const count = 100;
  const all = [
    ...Array.from({ length: count }, (_, at) => toolCall(at + 1, 'echo', { a: at })),
    toolCall('text', 'text', { input: 'it' }),
    toolCall('image', 'image'),
    toolCall('list', 'list'),
    toolCall('steps', 'steps'),
    toolCall('wrong', 'echo', { a: 'one' }),
    toolCall('thrown', 'throws'),
    toolCall('late', 'slow'),
    toolCall('none', 'nothing'),
    toolCall('large', 'echo', { text: 'é'.repeat(100_000) }),
    { id: 'tools', method: 'tools/list' },
    { id: 'ping', method: 'ping' },
  ];
  // In pieces that end anywhere.
  const bytes = Buffer.from(linesOf(all));
  for (let at = 0; at < bytes.length; at += 777) child.stdin.write(bytes.subarray(at, at + 777));
  await until(
    'all are answered',
    () => heard.has('late') && all.every((one) => heard.has((one as LineAnswer).id)),
    patienceMs,
  );
  for (let at = 0; at < count; at += 1) {
    assert.equal(textOf(heard.get(at + 1)), `{"a":${String(at)}}`);
    assert.deepEqual(heard.get(at + 1)?.result?.structuredContent, { a: at });
  }
  assert.equal((JSON.parse(textOf(heard.get('large'))) as { text: string }).text.length, 100_000);
  assert.deepEqual(heard.get('none')?.error?.code, -32602);
  // A client whose calls go by way of the thread hears the same.
  const other = await startRelay(t, lab);
  assert.match(textOf(heard.get('late')), /Error code: tool_timeout/);
  const compared = ['text', 'image', 'list', 'steps', 'wrong', 'thrown', 'none', 'large'];
  for (const one of all.filter((one) => compared.includes(String((one as LineAnswer).id)))) {
    const { id } = one as LineAnswer;
    const withToken = { ...one, params: { ...(one as { params: object }).params, _meta: { more: 1 } } };
    other.say(withToken);
    await until('it is answered', () => other.heard.has(id), patienceMs);
    const [own, thread] = [heard.get(id), other.heard.get(id)].map(
      (answer) => JSON.parse(JSON.stringify(answer).replaceAll(/\d+ ms/g, 'N ms')) as unknown,
    );
    assert.deepEqual(own, thread);
  }
  say({ method: 'notifications/cancelled', params: { requestId: 'never was' } });
});

test('a call of the relay is counted, and is withdrawn by its client and by the end of the relay', async (t) => {
  const { heard, say, child, control } = await callingRelay(t);
  const folder = await temporaryFolder(t);
  const pending = async (): Promise<readonly number[]> => {
    const { counts, mcp } = await control.call('daemon.status', {});
    return [counts.toolCallsPending, mcp.calls];
  };
  for (const [id, end] of [
    ['first', () => say({ method: 'notifications/cancelled', params: { requestId: 'first', reason: 'enough' } })],
    ['second', () => child.kill('SIGKILL')],
  ] as const) {
    const path = join(folder, id);
    say(toolCall(id, 'hang', { path }));
    await until('it runs', async () => (await writtenIn(path)) !== '', patienceMs);
    assert.deepEqual(await pending(), [1, 1]);
    end();
    await until('nothing is pending', async () => (await pending()).every((count) => count === 0), patienceMs);
    await until('its work has ended', async () => /aborted/.test(await writtenIn(path)), patienceMs);
  }
  assert.equal(heard.has('first'), false);
});

test('more calls than a connection may have unanswered are refused one by one', async (t) => {
  const { heard, say } = await callingRelay(t, { limits: { pendingCalls: 2 } });
  const folder = await temporaryFolder(t);
  const ids = ['a', 'b', 'c'];
  say(...ids.map((id) => toolCall(id, 'hang', { path: join(folder, id) })));
  await until('one is refused', () => heard.has('c'), patienceMs);
  assert.match(heard.get('c')?.error?.message ?? '', /2 unanswered requests/);
  assert.deepEqual([heard.has('a'), heard.has('b')], [false, false]);
});

test('the tools that the relay may call follow the plugins', async (t) => {
  const { heard, say, control } = await callingRelay(t);
  await control.call('plugin.unload', { plugin: 'test.mcp' });
  let calls = 0;
  await until(
    'the tool is unknown',
    async () => {
      const id = `gone-${String((calls += 1))}`;
      say(toolCall(id, 'echo'));
      await until('it is answered', () => heard.has(id), patienceMs);
      return heard.get(id)?.error?.message.includes('Unknown tool') === true;
    },
    patienceMs,
  );
});

test('what a client has asked before it ends its input is answered, for as long as that may take', async (t) => {
  const { heard, child, ended } = await callingRelay(t);
  // The last line lacks its newline.
  child.stdin.end(linesOf([toolCall('last', 'steps')]).trimEnd());
  assert.equal(await ended, 0);
  assert.equal(textOf(heard.get('last')), 'done');
});

test('a call that does not end is not waited for when its client has ended its input', async (t) => {
  const { heard, child, ended, control } = await callingRelay(t, { mcp: { lingerMs: 200 } });
  const path = join(await temporaryFolder(t), 'hang');
  child.stdin.end(linesOf([toolCall('last', 'hang', { path })]));
  await ended;
  assert.notEqual(heard.get('last')?.result?.isError, false);
  await until(
    'nothing is pending',
    async () => (await control.call('daemon.status', {})).counts.toolCallsPending === 0,
    patienceMs,
  );
});

test('the relay ends with its daemon, and calls that were pending are answered', async (t) => {
  const { heard, say, ended, lab } = await callingRelay(t);
  const path = join(await temporaryFolder(t), 'hang');
  say(toolCall('hanging', 'hang', { path }));
  await until('it runs', async () => (await writtenIn(path)) !== '', patienceMs);
  lab.daemon.signal('SIGTERM');
  assert.notEqual(await ended, 0);
  const { error, result } = heard.get('hanging') ?? {};
  assert.ok(error !== undefined || result?.isError === true, 'it has heard of its end');
});
