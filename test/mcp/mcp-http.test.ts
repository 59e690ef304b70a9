// `/mcp` lets in who has the token of the scope `tools` and nobody else, and answers programs that use no SDK.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { connectBy, startMcpLab } from '../labs/mcp-lab.ts';
import { ask } from '../labs/http-client.ts';
import { until } from '../labs/until.ts';

const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const initialize = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};

test('the token of the scope tools opens /mcp and nothing else, and no other opens it', async (t) => {
  const other = 'another-token-of-the-configuration';
  const lab = await startMcpLab(t, { config: { http: { port: 0, token: other } } });
  const { url, token } = await lab.access();
  const post = async (path: string, given: Record<string, string>): Promise<number> =>
    (await fetch(new URL(path, url), { method: 'POST', headers: { ...headers, ...given }, body: JSON.stringify(list) }))
      .status;
  const bearer = { authorization: `Bearer ${token}` };
  assert.equal(await post('/mcp', bearer), 200);
  assert.equal(await post('/mcp', {}), 401);
  assert.equal(await post('/mcp', { authorization: `Bearer ${other}` }), 401);
  assert.equal(await post('/mcp', { ...bearer, origin: 'http://evil.example' }), 403);
  const place = { host: '127.0.0.1', port: Number(new URL(url).port) };
  const foreign = await ask(place, 'POST', '/mcp', {
    headers: { ...headers, ...bearer, host: 'evil.example' },
    bytes: JSON.stringify(list),
  });
  assert.equal(foreign.status, 403);
  assert.equal((await fetch(new URL('/api/runtimes', url), { headers: bearer })).status, 401);
  assert.equal((await fetch(new URL('/mcp', url), { method: 'PUT', headers: bearer })).status, 405);
  assert.equal((await fetch(new URL('/mcp', url), { headers: bearer })).status, 400, 'a stream belongs to a session');
});

test('on the control socket, one request is answered without a session, and a session has a stream', async (t) => {
  const lab = await startMcpLab(t);
  const place = lab.daemon.socket;
  const alone = await ask(place, 'POST', '/mcp', { headers, bytes: JSON.stringify(list) });
  assert.equal(alone.status, 200);
  assert.match(alone.text, /test_mcp__echo/);
  const broken = await ask(place, 'POST', '/mcp', { headers, bytes: '{"jsonrpc":' });
  assert.equal(broken.status, 400);
  assert.match(broken.text, /-32700/);
  const begun = await ask(place, 'POST', '/mcp', { headers, bytes: JSON.stringify(initialize) });
  const session = String(begun.headers['mcp-session-id']);
  assert.match(session, /^[0-9a-f-]{36}$/);
  const inSession = { ...headers, 'mcp-session-id': session };
  assert.match(
    (await ask(place, 'POST', '/mcp', { headers: inSession, bytes: JSON.stringify(list) })).text,
    /test_mcp__/,
  );

  const stream = connect(lab.daemon.socket);
  t.after(() => stream.destroy());
  let heard = '';
  stream.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  stream.write(`GET /mcp HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nmcp-session-id: ${session}\r\n\r\n`);
  await until('the stream is open', () => heard.includes('text/event-stream'));
  const control = await lab.daemon.connect();
  await control.call('plugin.reload', { plugin: 'test.mcp' });
  await until('the change is told', () => heard.includes('notifications/tools/list_changed'));

  assert.equal((await ask(place, 'DELETE', '/mcp', { headers: inSession })).status, 200);
  const over = await ask(place, 'POST', '/mcp', { headers: inSession, bytes: JSON.stringify(list) });
  assert.equal(over.status, 404);
  assert.match(over.text, /begin another one with initialize/);
});

test('more calls than a page may have streams are answered at once', async (t) => {
  const lab = await startMcpLab(t, { config: { http: { port: 0, limits: { streams: 2 } } } });
  const client = await connectBy(t, lab, 'older http');
  const calls = Array.from({ length: 12 }, (_, a) => client.callTool({ name: 'test_mcp__echo', arguments: { a } }));
  const answered = await Promise.all(calls);
  assert.deepEqual(
    answered.map(({ structuredContent }) => structuredContent),
    calls.map((_, a) => ({ a })),
  );
});

test('a body beyond its bound is refused before it is kept', async (t) => {
  const lab = await startMcpLab(t, { config: { http: { port: 0, limits: { bodyBytes: 2048 } } } });
  const { url, token } = await lab.access();
  const body = JSON.stringify({ ...list, params: { cursor: 'x'.repeat(4096) } });
  const given = { ...headers, authorization: `Bearer ${token}` };
  assert.equal((await fetch(url, { method: 'POST', headers: given, body })).status, 413);
});
