// What an HTTP client may send, how much, how fast, and how it is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startControl } from '../labs/control-lab.ts';
import { ask } from '../labs/http-client.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { until } from '../labs/until.ts';

const mib = 1024 * 1024;
const echo = '/api/tools/p/echo';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What buffers hold that somebody still refers to. */
function keptBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

test('a body is a JSON object and says so', async (t) => {
  const { path } = await startControl(t);
  assert.deepEqual((await ask(path, 'POST', echo, { body: { input: { a: 'é' } } })).json['output'], { a: 'é' });
  assert.equal(
    (
      await ask(path, 'POST', echo, {
        bytes: '{"input":1}',
        headers: { 'content-type': 'Application/JSON; charset=UTF-8' },
      })
    ).json['output'],
    1,
  );
  assert.equal((await ask(path, 'POST', echo)).json['output'], null, 'no body is no parameters');
  const refused: [bytes: string, headers: Record<string, string>, why: RegExp][] = [
    ['{"input":1}', { 'content-type': 'text/plain' }, /application\/json/],
    ['input=1', { 'content-type': 'application/x-www-form-urlencoded' }, /application\/json/],
    ['{"input":1}', {}, /application\/json/],
    ['{"input":1}', { 'content-type': 'application/json', 'content-encoding': 'gzip' }, /compressed/],
    ['{"input":', { 'content-type': 'application/json' }, /not JSON/],
    ['[1]', { 'content-type': 'application/json' }, /object/],
    ['null', { 'content-type': 'application/json' }, /object/],
  ];
  for (const [bytes, headers, why] of refused) {
    const { status, json } = await ask(path, 'POST', echo, { bytes, headers });
    assert.deepEqual([status, json['code']], [400, 'invalid_request'], bytes);
    assert.match(String(json['detail']), why);
  }
});

test('parameters stand where the method has them, and nowhere else', async (t) => {
  const { path } = await startControl(t);
  for (const [method, url, body] of [
    ['POST', `${echo}?input=1`, {}],
    ['GET', '/api/ping', { a: 1 }],
    ['DELETE', '/api/plugins/p', { plugin: 'p' }],
  ] as const) {
    const { status, json } = await ask(path, method, url, { body });
    assert.deepEqual([status, json['code']], [400, 'invalid_request'], url);
  }
});

test('a body beyond its bound is refused, declared or not, and never kept', async (t) => {
  const { path } = await startControl(t, { limits: { lineBytes: mib } });
  const before = keptBytes();
  const declared = await RawSocket.connect(t, path);
  declared.send(
    `POST ${echo} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${String(100 * mib)}\r\n\r\n`,
  );
  assert.match(await declared.includes('\r\n\r\n{'), /^HTTP\/1\.1 413 /);

  const chunked = await RawSocket.connect(t, path);
  chunked.send(
    `POST ${echo} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
  );
  const chunk = `${(64 * 1024).toString(16)}\r\n${'x'.repeat(64 * 1024)}\r\n`;
  for (let sent = 0; sent < 20 * mib; sent += chunk.length)
    await new Promise((written) => chunked.socket.write(chunk, written));
  // The collector gives the memory back in its own time.
  await until('no more is kept of it than its bound', () => keptBytes() - before < 4 * mib);
  chunked.send(`0\r\n\r\nGET /api/ping HTTP/1.1\r\nhost: x\r\n\r\n`);
  const answers = await chunked.includes('"pong":true');
  assert.match(
    answers,
    /^HTTP\/1\.1 413 [^]*"code":"payload_too_large"[^]*HTTP\/1\.1 200 /,
    'the connection is good for the next request',
  );
});

test('a client that asks before it sends is told to go on only where the body would be taken', async (t) => {
  const { path } = await startControl(t, { limits: { lineBytes: 4096 } });
  const head = (bytes: number): string =>
    `POST ${echo} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: ${String(bytes)}\r\n\r\n`;
  const small = await RawSocket.connect(t, path);
  small.send(head(11));
  await small.includes('HTTP/1.1 100 Continue\r\n\r\n');
  small.send('{"input":7}');
  assert.match(await small.includes('"output"'), /HTTP\/1\.1 200 [^]*"output":7/);
  const large = await RawSocket.connect(t, path);
  large.send(head(5000));
  assert.match(await large.rest(), /^HTTP\/1\.1 413 /);
});

test('deep nesting and oversized heads are refused', async (t) => {
  const { path } = await startControl(t);
  const deep = await ask(path, 'POST', echo, {
    bytes: `{"input":${'['.repeat(1_000_000)}`,
    headers: { 'content-type': 'application/json' },
  });
  assert.deepEqual([deep.status, deep.json['details']], [400, { limit: 'limits.nesting', maximum: 128 }]);
  const raw = await RawSocket.connect(t, path);
  raw.send(`GET /api/ping HTTP/1.1\r\nhost: x\r\nx-long: ${'y'.repeat(40_000)}\r\n\r\n`);
  assert.match(await raw.rest(), /^HTTP\/1\.1 413 [^]*"code":"payload_too_large"/);
});

test('letters that are no HTTP get a problem document and the end', async (t) => {
  const { path, server } = await startControl(t);
  for (const text of [
    'hello\r\n\r\n',
    'GET /api/ping HTTP/1.1\r\nbroken header\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ]) {
    const raw = await RawSocket.connect(t, path);
    raw.send(text);
    const answer = await raw.rest();
    assert.match(
      answer,
      /^HTTP\/1\.1 400 Bad Request\r\ncontent-type: application\/problem\+json\r\n[^]*"code":"invalid_request"/,
      text,
    );
  }
  assert.equal(server.counts().connectionsCutOff, 3);
});

test('half a head or half a body that is not finished in time is answered and cut off; an idle connection is not', async (t) => {
  const { path, server } = await startControl(t, { limits: { idleHalfLineMs: 250 } });
  const idle = await RawSocket.connect(t, path);
  idle.send('GET /api/ping HTTP/1.1\r\nhost: x\r\n\r\n');
  await idle.includes('"pong":true');
  const head = await RawSocket.connect(t, path);
  head.send('GET /api/ping HTTP/1.1\r\nhost: x\r\n');
  const dripping = setInterval(() => head.send('x-more: y\r\n'), 40);
  t.after(() => clearInterval(dripping));
  const body = await RawSocket.connect(t, path);
  body.send(
    `POST ${echo} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"input"`,
  );
  const second = await RawSocket.connect(t, path);
  second.send('GET /api/ping HTTP/1.1\r\nhost: x\r\n\r\n');
  await second.includes('"pong":true');
  second.send('GET /api/ping HT');
  for (const raw of [head, body, second]) assert.match(await raw.rest(), /HTTP\/1\.1 400 [^]*limits\.idleHalfLineMs/);
  assert.equal(server.counts().connectionsCutOff, 3);
  idle.send('GET /api/ping HTTP/1.1\r\nhost: x\r\n\r\n');
  await until('the idle one is answered again', () => idle.text.split('"pong":true').length === 3);
});

test('a call that takes longer than half a request may is not a half request', async (t) => {
  const { path } = await startControl(t, { limits: { idleHalfLineMs: 100 } });
  assert.equal((await ask(path, 'POST', '/api/tools/p/later', { body: { input: { ms: 600 } } })).status, 200);
});

test('requests in a row on one connection are answered in their order', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  const post = (tool: string, ms: number): string => {
    const body = JSON.stringify({ input: { ms } });
    return `POST /api/tools/p/${tool} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`;
  };
  raw.send(
    `${post('later', 100)}${post('later', 1)}${post('echo', 0)}GET /api/ping HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
  );
  const text = await raw.rest();
  assert.deepEqual(
    [...text.matchAll(/"ms":(\d+)|"pong"/g)].map((match) => match[1] ?? 'pong'),
    ['100', '1', '0', 'pong'],
  );
});

test('a client that sends many requests and reads none is not served on', async (t) => {
  const served: number[] = [];
  const { path } = await startControl(t, {
    handlers: {
      'plugin.list': () => {
        served.push(1);
        return { plugins: [], invalid: [{ path: 'x'.repeat(64 * 1024), issues: [] }] };
      },
    },
  });
  const deaf = await RawSocket.connect(t, path);
  deaf.socket.pause();
  deaf.send('GET /api/plugins HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(2000));
  let settled = -1;
  for (let quiet = 0; quiet < 5; quiet = settled === served.length ? quiet + 1 : 0) {
    settled = served.length;
    await pause(50);
  }
  assert.ok(served.length < 50, `${String(served.length)} answers of 64 KiB nobody reads`);
  assert.equal((await ask(path, 'GET', '/api/ping')).status, 200);
});

test('what a call waits for is told that its HTTP client has gone', async (t) => {
  let aborted = false;
  const { path } = await startControl(t, {
    handlers: {
      'tool.call': async (_, caller) => {
        await new Promise((resolve) => caller.signal.addEventListener('abort', resolve));
        aborted = true;
        return { output: null, durationMs: 0 };
      },
    },
  });
  const raw = await RawSocket.connect(t, path);
  raw.send(`POST ${echo} HTTP/1.1\r\nhost: x\r\n\r\n`);
  await pause(50);
  raw.socket.destroy();
  await until('the call is told', () => aborted);
});
