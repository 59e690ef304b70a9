// JSON-RPC 2.0 on the control socket: what is a request, what is not, and how each is answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startControl } from '../labs/control-lab.ts';
import { RawSocket } from '../labs/raw-socket.ts';

test('a request is answered with its own id, whatever kind of id it is', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  for (const id of [1, 0, -7, 1.5, 'text', '', null, 'äöü\u0000"']) {
    raw.request(id, 'daemon.ping');
    assert.deepEqual(await raw.message(), {
      jsonrpc: '2.0',
      id,
      result: { pong: true, at: '2026-01-01T00:00:00.000Z' },
    });
  }
});

test('parameters may be left out, and are otherwise given by name', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  raw.send('{"jsonrpc":"2.0","id":1,"method":"daemon.ping"}\n');
  assert.equal((await raw.message()).result?.['pong'], true);
  for (const params of [[], ['a'], null, 'a', 7]) {
    raw.request(2, 'daemon.ping', params);
    const { error } = await raw.message();
    assert.equal(error?.code, -32602);
    assert.equal(error.data.code, 'invalid_request');
    assert.match(error.message, /by name/);
  }
});

test('parameters that do not fit are refused by the path of what is wrong', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  raw.request('a', 'tool.call', { plugin: 'x', tool: 'y', timeoutMs: 'soon', inptu: 1 });
  const { id, error } = await raw.message();
  assert.equal(id, 'a');
  assert.equal(error?.code, -32602);
  assert.equal(error.data.retryable, false);
  const issues = error.data.details['issues'] as { path: string; message: string }[];
  assert.deepEqual(issues.map((issue) => issue.path).sort(), ['inptu', 'timeoutMs']);
  assert.match(issues.find((issue) => issue.path === 'inptu')?.message ?? '', /"input"/);
});

test('an unknown operation is refused with the name that was probably meant', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  raw.request(1, 'plugin.lst').request(2, 'x'.repeat(100_000)).request(3, '__proto__');
  const [near, far, proto] = await raw.messages(3);
  assert.equal(near?.error?.code, -32601);
  assert.equal(near.error.data.code, 'method_not_found');
  assert.equal(near.error.data.details['didYouMean'], 'plugin.list');
  assert.equal(far?.error?.code, -32601);
  assert.ok(JSON.stringify(far).length < 1000, 'the answer does not repeat an endless name');
  assert.equal(proto?.error?.code, -32601);
});

test('what is not a request is refused as one, with its id where it has one', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  raw.send('{"jsonrpc":"2.0","id":1,"method":"daemon.ping"}\n');
  await raw.message();
  const cases: [text: string, id: unknown][] = [
    ['{}', null],
    ['{"jsonrpc":"1.0","id":4,"method":"daemon.ping"}', 4],
    ['{"jsonrpc":"2.0","id":5}', 5],
    ['{"jsonrpc":"2.0","id":"6","method":7}', '6'],
    ['{"jsonrpc":"2.0","id":{},"method":"daemon.ping"}', null],
    ['{"jsonrpc":"2.0","id":[1],"method":"daemon.ping"}', null],
    ['{"jsonrpc":"2.0","id":true,"method":"daemon.ping"}', null],
    ['{"jsonrpc":"2.0","id":1e999,"method":"daemon.ping"}', null],
    ['"text"', null],
    ['null', null],
    ['7', null],
  ];
  for (const [text, id] of cases) {
    raw.send(`${text}\n`);
    const answer = await raw.message();
    assert.equal(answer.id, id, text);
    assert.equal(answer.error?.code, -32600, text);
    assert.equal(answer.error.data.code, 'invalid_request', text);
  }
});

test('what is not JSON is a parse error, and the connection goes on', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  for (const text of ['{', '[1,', '{"jsonrpc":"2.0",}', 'GET / HTTP/1.1', '\u0000\u0001', '{"a":"\ud800']) {
    raw.send(`{"jsonrpc":"2.0","id":1,"method":"daemon.ping"}\n${text}\n`);
    const [, answer] = await raw.messages(2);
    assert.equal(answer?.id, null);
    assert.equal(answer.error?.code, -32700, text);
    assert.equal(answer.error.data.code, 'invalid_request');
  }
  raw.request(2, 'daemon.ping');
  assert.equal((await raw.message()).id, 2);
});

test('empty lines and carriage returns are nothing, before the first request and after', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  raw.send('\n').send('\r\n  \t\n').send('\n {"jsonrpc":"2.0","id":1,"method":"daemon.ping"}\r\n\r\n \n');
  raw.request(2, 'daemon.ping');
  assert.deepEqual(
    (await raw.messages(2)).map((answer) => answer.id),
    [1, 2],
  );
});

test('a handler that fails unexpectedly tells its caller nothing of its insides, and the log everything', async (t) => {
  const secret = new Error('the key is 12345');
  const unsendable = {} as { self?: unknown };
  unsendable.self = unsendable;
  const { path, logged } = await startControl(t, {
    handlers: {
      'plugin.list': () => {
        throw secret;
      },
      'service.list': () => Promise.reject(secret),
      'tool.list': () => unsendable as never,
    },
  });
  const raw = await RawSocket.connect(t, path);
  for (const method of ['plugin.list', 'service.list', 'tool.list']) {
    raw.request(method, method);
    const answer = await raw.message();
    assert.equal(answer.id, method);
    assert.equal(answer.error?.code, -32603);
    assert.equal(answer.error.data.code, 'internal');
    assert.ok(!JSON.stringify(answer).includes('12345'));
  }
  assert.equal(logged.length, 3);
  assert.equal((logged[0]?.fields as { err: unknown }).err, secret);
});
