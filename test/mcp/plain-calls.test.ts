// Plain calls of clients of the older protocol are answered without the SDK, and a client cannot tell: the answers, the
// refusals, withdrawals and bounds are the same.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { CallGathering, gatherMs } from '../../daemon/cli/call-gathering.ts';
import { textCallOf } from '../../daemon/cli/plain-call-text.ts';
import { HostCalls } from '../../workers/mcp/host-calls.ts';
import { Offer } from '../../workers/mcp/offer.ts';
import { Outbox } from '../../workers/mcp/outbox.ts';
import { beginPlainCall } from '../../workers/mcp/plain-calls.ts';
import type { FromMcpThread } from '../../protocol/mcp/messages.ts';
import { plainCallOf } from '../../protocol/mcp/plain-calls.ts';
import { startMcpLab } from '../labs/mcp-lab.ts';
import { type LineAnswer, connectLines, toolCall } from '../labs/mcp-lines.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writtenIn } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

const described = { description: '', inputSchema: { type: 'object' }, outputSchema: {} };

function offer(): Offer {
  const offered = new Offer();
  offered.replace([
    { name: 'p__say', plugin: 'p', tool: 'say', ...described },
    { name: 'p__list', plugin: 'p', tool: 'list', ...described, outputSchema: { type: 'array' } },
    { name: 'h__any', plugin: 'h', tool: 'any', ...described, hosted: true },
  ]);
  return offered;
}

const call = (name: string, more: object = {}): object => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: {}, ...more },
});

test('only a call that says nothing but which tool and with what is read without the SDK', () => {
  const tools = offer().plain;
  assert.equal(plainCallOf(call('p__say'), tools)?.tool.tool, 'say');
  assert.equal(plainCallOf({ ...call('p__say'), id: 'a', params: { name: 'p__say' } }, tools)?.id, 'a');
  const others = [
    call('p__none'),
    call('p__list'),
    call('p__say', { _meta: { progressToken: 1 } }),
    call('p__say', { task: {} }),
    call('p__say', { arguments: [] }),
    { ...call('p__say'), id: 1.5 },
    { ...call('p__say'), id: null },
    { ...call('p__say'), jsonrpc: '1.0' },
    { ...call('p__say'), more: 1 },
    { ...call('p__say'), method: 'tools/list' },
    [call('p__say')],
    null,
    'text',
  ];
  for (const other of others) assert.equal(plainCallOf(other, tools), undefined, JSON.stringify(other));
});

test('arguments of a call that is written as the SDK writes it go on as the text they are, and others as JSON', () => {
  const tools = offer().plain;
  const before = '{"method":"tools/call","params":{"name":"p__say","arguments":';
  const after = '},"jsonrpc":"2.0","id":7}';
  const read = (text: string): string | undefined => textCallOf(text, tools)?.inputJson;
  assert.deepEqual(textCallOf(`${before}{"a": [1, "\\u0041}"]}${after}`, tools), {
    call: { id: 7, tool: tools('p__say'), args: undefined },
    inputJson: '{"a": [1, "\\u0041}"]}',
  });
  assert.equal(read(`${before}{}${after.replace('7', '"seven"')}`), '{}');
  assert.equal(read(JSON.stringify(call('p__say', { arguments: { a: 1 } }))), '{"a":1}');
  // Whoever ends the arguments early says something else, which is read as a whole.
  const twice = `${before}{"a":1}},"jsonrpc":"2.0","id":1,"more":{"b":{}${after}`;
  for (const other of [
    twice,
    `${before}{"a":1}${after}}`,
    `${before}{a:1}${after}`,
    `${before}[1]${after}`,
    `${before}{}${after.replace('7', '7.5')}`,
    `${before}{}${after.replace('7', '01')}`,
    `${before}{},"_meta":{"progressToken":1}${after}`,
    `${before.replace('p__say', 'p__none')}{}${after}`,
    before,
  ])
    assert.equal(read(other), undefined, other);
});

test('many quick calls are sent in a few pieces, and a lone one never waits', () => {
  const gathering = new CallGathering();
  const first = gathering.sent(3, 0);
  assert.equal(gathering.waits(1, 0), false, 'nothing is known of how long they take');
  gathering.learn(0.01);
  assert.equal(gathering.waits(2, 0), true, 'three are unanswered');
  assert.equal(gathering.waits(3, 0), false, 'as many wait');
  assert.equal(gathering.waits(2, gatherMs), false, 'those that were sent take long');
  const second = gathering.sent(2, 10);
  second.open -= 1;
  assert.equal(gathering.waits(1, 10), false, 'one is unanswered');
  gathering.sent(first.open, 10);
  gathering.learn(5);
  assert.equal(gathering.waits(1, 10), false, 'beside slow calls none waits');
});

function answered(name: string, json: string): unknown {
  const calls = new HostCalls(() => undefined);
  let answer: string | undefined;
  const plain = plainCallOf(call(name), offer().plain) ?? assert.fail();
  beginPlainCall(plain, calls, (given) => (answer = given));
  calls.receive({ type: 'answer', call: 1, json });
  return JSON.parse(answer ?? assert.fail());
}

test("a hosted server's answer is passed on as it is, unless MCP has no form for it", () => {
  const result = { content: [{ type: 'text', text: 'a' }], structuredContent: { a: 1 }, _meta: { b: 2 }, more: 3 };
  assert.deepEqual(answered('h__any', JSON.stringify(result)), { jsonrpc: '2.0', id: 1, result });
  assert.deepEqual(answered('h__any', '{"structuredContent":{"a":1}}'), {
    jsonrpc: '2.0',
    id: 1,
    result: { structuredContent: { a: 1 }, content: [] },
  });
  for (const wrong of ['{}', '{"content":[{"type":"none"}]}', '{"content":[],"isError":"no"}', '[]', 'null']) {
    const { error } = answered('h__any', wrong) as { error?: { code: number } };
    assert.equal(error?.code, -32602, wrong);
  }
});

test('a call that is withdrawn has no answer, and the host is told', () => {
  const told: FromMcpThread[] = [];
  const calls = new HostCalls((message) => told.push(message));
  const answers: unknown[] = [];
  const withdraw = beginPlainCall(plainCallOf(call('p__say'), offer().plain) ?? assert.fail(), calls, (json) =>
    answers.push(json),
  );
  withdraw('enough');
  withdraw('enough');
  calls.receive({ type: 'answer', call: 1, json: '1' });
  assert.deepEqual(
    told.map(({ type }) => type),
    ['call', 'cancel'],
  );
  assert.deepEqual(answers, [undefined]);
});

test('what is told in one turn goes to the host as one message, with one text for each client', async () => {
  const sent: (readonly FromMcpThread[])[] = [];
  const outbox = new Outbox((messages) => sent.push(messages));
  const write = (connection: number, text: string): void => outbox.post({ type: 'write', connection, text });
  write(1, 'a');
  write(2, 'b');
  outbox.post({ type: 'taken', connection: 1, bytes: 5 });
  write(1, 'c');
  outbox.post({ type: 'close', connection: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  write(1, 'd');
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(sent, [
    [
      { type: 'write', connection: 1, text: 'ac' },
      { type: 'write', connection: 2, text: 'b' },
      { type: 'taken', connection: 1, bytes: 5 },
      { type: 'close', connection: 1 },
    ],
    [{ type: 'write', connection: 1, text: 'd' }],
  ]);
});

test('many calls at once on one connection are each answered, with refusals between them', async (t) => {
  const lab = await startMcpLab(t, { config: { limits: { pendingCalls: 400 } } });
  const { say, heard } = await connectLines(t, lab);
  const count = 200;
  say(...Array.from({ length: count }, (_, at) => toolCall(at + 1, 'echo', { a: at })));
  say(toolCall('wrong', 'echo', { a: 'one' }), toolCall('thrown', 'throws'), toolCall('none', 'nothing'));
  await until('all are answered', () => heard.size === count + 4);
  for (let at = 0; at < count; at += 1)
    assert.equal(heard.get(at + 1)?.result?.content?.[0]?.text, `{"a":${String(at)}}`);
  assert.match(heard.get('wrong')?.result?.content?.[0]?.text ?? '', /tool_input_invalid/);
  assert.equal(heard.get('thrown')?.result?.isError, true);
  assert.equal(heard.get('none')?.error?.code, -32602);
});

test('a plain call is withdrawn by its client, and by the end of its connection', async (t) => {
  const lab = await startMcpLab(t);
  const { say, heard, socket } = await connectLines(t, lab);
  const folder = await temporaryFolder(t);
  const pending = async (): Promise<number> =>
    (await (await lab.daemon.connect()).call('daemon.status', {})).counts.toolCallsPending;
  for (const [id, end] of [
    ['first', () => say({ method: 'notifications/cancelled', params: { requestId: 'first', reason: 'enough' } })],
    ['second', () => socket.destroy()],
  ] as const) {
    const path = join(folder, id);
    say(toolCall(id, 'hang', { path }));
    await until('it runs', async () => (await writtenIn(path)) !== '');
    end();
    await until('nothing is pending', async () => (await pending()) === 0);
    await until('its work has ended', async () => /aborted/.test(await writtenIn(path)));
  }
  assert.equal(heard.has('first'), false);
});

test('a connection may have so many plain calls unanswered, and then hears so', async (t) => {
  const lab = await startMcpLab(t, { config: { limits: { pendingCalls: 2 } } });
  const { say, heard } = await connectLines(t, lab);
  const folder = await temporaryFolder(t);
  const ids = ['a', 'b', 'c'];
  say(...ids.map((id) => toolCall(id, 'hang', { path: join(folder, id) })));
  await until('one is refused', () => ids.some((id) => heard.has(id)));
  assert.match(heard.get('c')?.error?.message ?? '', /2 unanswered requests/);
});

test('over HTTP a plain call in a session is answered as JSON, and an unknown tool is refused as ever', async (t) => {
  const lab = await startMcpLab(t);
  const { url, token } = await lab.access();
  const headers: Record<string, string> = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const post = (message: object): Promise<Response> =>
    fetch(url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) });
  const clientInfo = { name: 'test', version: '1' };
  const begun = await post({
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo },
  });
  await begun.text();
  headers['mcp-session-id'] = begun.headers.get('mcp-session-id') ?? assert.fail();
  headers['mcp-protocol-version'] = '2025-06-18';
  const answer = await post(toolCall(1, 'echo', { a: 1 }));
  assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'application/json']);
  const { result } = (await answer.json()) as LineAnswer;
  assert.equal(result?.content?.[0]?.text, '{"a":1}');
  assert.match(await (await post(toolCall(2, 'nothing'))).text(), /Unknown tool/);
  // A call that is withdrawn by another request ends without an answer.
  const path = join(await temporaryFolder(t), 'hang');
  const hanging = post(toolCall(3, 'hang', { path }));
  await until('it runs', async () => (await writtenIn(path)) !== '');
  await (await post({ method: 'notifications/cancelled', params: { requestId: 3, reason: 'enough' } })).text();
  assert.equal((await hanging).status, 202);
  // What the transport would refuse, it still refuses.
  assert.equal(
    (await fetch(url, { method: 'POST', headers: { ...headers, accept: 'application/json' }, body: '{}' })).status,
    406,
  );
});
