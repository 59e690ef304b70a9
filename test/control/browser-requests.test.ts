// What a request at the port for browsers may look like: for which host, from which page, how large and how slow.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import { runtimePath, startBrowserLab } from '../labs/browser-lab.ts';
import { type HttpAnswer, ask } from '../labs/http-client.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { until } from '../labs/until.ts';

const refusal = ({ status, json, headers }: HttpAnswer): unknown[] => [status, json['code'], headers['content-type']];
const problem = 'application/problem+json';
const forbidden = [403, 'forbidden', problem];
const invalid = [400, 'invalid_request', problem];

/** The code of the problem that stands at the end of what came, which must be a refusal. */
function refusedWith(text: string): [status: number, code: string] {
  const [, status = ''] = /^HTTP\/1\.1 (\d+) /.exec(text) ?? [];
  assert.match(text, /content-type: application\/problem\+json/);
  return [Number(status), (JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as { code: string }).code];
}

test("a host that is not the daemon's own is refused, whatever the token: names can be pointed anywhere", async (t) => {
  const {
    ask: asks,
    place: { port },
  } = await startBrowserLab(t, { http: { names: ['nagaya.example', 'box.example:8443'] } });
  const with_ = (host: string): Promise<HttpAnswer> => asks('GET', '/api/runtimes', { headers: { host } });
  for (const host of [
    `127.0.0.1:${String(port)}`,
    `localhost:${String(port)}`,
    `LOCALHOST:${String(port)}`,
    `[::1]:${String(port)}`,
    'nagaya.example',
    `nagaya.example:${String(port)}`,
    'box.example:8443',
  ]) {
    assert.equal((await with_(host)).status, 200, host);
  }
  for (const host of [
    'evil.example',
    `evil.example:${String(port)}`,
    'localhost',
    '127.0.0.1',
    `localhost:${String(port + 1)}`,
    `localhost.:${String(port)}`,
    `127.0.0.2:${String(port)}`,
    'box.example',
    `localhost:${String(port)}@evil.example`,
  ]) {
    assert.deepEqual(refusal(await with_(host)), forbidden, host);
  }
  assert.deepEqual(
    refusal(await ask({ host: '127.0.0.1', port }, 'GET', '/', { headers: { host: 'evil.example' } })),
    forbidden,
    'not even the page',
  );
});

test('a request without a host, with two, or for another server is refused with a reason', async (t) => {
  const { place, token } = await startBrowserLab(t);
  const own = `host: 127.0.0.1:${String(place.port)}\r\n`;
  const heads: [head: string, expected: [number, string]][] = [
    ['GET /api/runtimes HTTP/1.1\r\n', [403, 'forbidden']],
    [`GET /api/runtimes HTTP/1.1\r\n${own}host: evil.example\r\n`, [403, 'forbidden']],
    ['GET /api/runtimes HTTP/1.1\r\nhost:\r\n', [403, 'forbidden']],
    [`GET http://evil.example/api/runtimes HTTP/1.1\r\n${own}`, [400, 'invalid_request']],
    [`OPTIONS * HTTP/1.1\r\n${own}`, [400, 'invalid_request']],
    [`CONNECT evil.example:443 HTTP/1.1\r\n${own}`, [404, 'method_not_found']],
    [`GET /api/runtimes HTTP/1.1\r\n${own}expect: the-moon\r\n`, [417, 'invalid_request']],
    ['nonsense\r\n', [400, 'invalid_request']],
  ];
  for (const [head, expected] of heads) {
    const raw = await RawSocket.connect(t, place);
    raw.send(`${head}authorization: Bearer ${token}\r\nconnection: close\r\n\r\n`);
    assert.deepEqual(refusedWith(await raw.rest()), expected, head);
  }
});

test('a page of another origin is refused, and so is what a browser says another site asks for', async (t) => {
  const lab = await startBrowserLab(t);
  const port = String(lab.place.port);
  const cookie = await lab.signIn();
  const post = (headers: Record<string, string>): Promise<HttpAnswer> =>
    lab.ask('POST', `${runtimePath}/workers`, { body: { intent: 'x' }, headers: { cookie, ...headers } });
  const get = (headers: Record<string, string>, path = '/api/runtimes'): Promise<HttpAnswer> =>
    lab.ask('GET', path, { headers: { cookie, ...headers } });

  assert.equal((await post({ origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' })).status, 200);
  assert.equal((await post({ origin: `http://localhost:${port}`, host: `localhost:${port}` })).status, 200);
  for (const origin of [
    'null',
    'http://evil.example',
    `https://127.0.0.1:${port}`,
    `http://localhost:${port}`,
    `http://127.0.0.1:${String(lab.place.port + 1)}`,
    `http://127.0.0.1:${port}.evil.example`,
    '',
  ]) {
    assert.deepEqual(refusal(await post({ origin })), forbidden, origin);
    assert.deepEqual(refusal(await get({ origin })), forbidden, origin);
  }
  for (const site of ['cross-site', 'same-site']) {
    assert.deepEqual(refusal(await post({ 'sec-fetch-site': site })), forbidden, site);
    assert.deepEqual(refusal(await get({ 'sec-fetch-site': site })), forbidden, site);
    assert.deepEqual(
      refusal(await get({ 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' })),
      forbidden,
      'no page is made of the API',
    );
    assert.deepEqual(
      refusal(await get({ 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }, '/')),
      forbidden,
    );
    assert.equal(
      (await get({ 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }, '/')).status,
      200,
      'a link may lead to the page',
    );
  }
  assert.equal((await get({ 'sec-fetch-site': 'none' })).status, 200);
  assert.deepEqual(refusal(await post({ 'sec-fetch-site': 'none' })), forbidden);
  const preflight = await lab.ask('OPTIONS', `${runtimePath}/workers`, {
    headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
  });
  assert.deepEqual(refusal(preflight), forbidden);
  assert.ok(!Object.keys(preflight.headers).some((name) => name.startsWith('access-control-')));
});

test("only JSON is taken, under the port's own bound", async (t) => {
  const { ask: asks, place, token } = await startBrowserLab(t, { http: { limits: { bodyBytes: 2048 } } });
  const path = `${runtimePath}/workers`;
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
    assert.deepEqual(
      refusal(await asks('POST', path, { bytes: '{"intent":"x"}', headers: { 'content-type': type } })),
      invalid,
      type,
    );
  }
  const large = await asks('POST', path, { body: { intent: 'x'.repeat(3000) } });
  assert.deepEqual(
    [...refusal(large), large.json['details']],
    [413, 'payload_too_large', problem, { maximum: 2048, limit: 'http.limits.bodyBytes' }],
  );
  const chunked = await RawSocket.connect(t, place);
  chunked.send(
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${String(place.port)}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1000\r\n${'x'.repeat(0x1000)}\r\n`,
  );
  assert.match(await chunked.includes('\r\n\r\n{'), /^HTTP\/1\.1 413 /);
});

test('a method that a path does not take is 405, and a path that is not there 404', async (t) => {
  const { ask: asks } = await startBrowserLab(t);
  for (const [method, path, allow] of [
    ['PUT', '/api/runtimes', 'GET, HEAD'],
    ['DELETE', `${runtimePath}/workers`, 'GET, HEAD, POST'],
    ['POST', '/open/x', 'GET'],
    ['POST', '/session', 'GET, HEAD, DELETE'],
  ] as const) {
    const answer = await asks(method, path);
    assert.deepEqual([...refusal(answer), answer.headers.allow], [405, 'method_not_found', problem, allow], path);
  }
  assert.deepEqual(refusal(await asks('GET', '/api/nothing')), [404, 'method_not_found', problem]);
  assert.deepEqual(refusal(await asks('GET', '/../etc/passwd')), [404, 'method_not_found', problem]);
  assert.equal((await asks('HEAD', '/api/runtimes')).status, 200);
});

test('a head that is too large is refused, and one that comes too slowly is cut off', async (t) => {
  const { place, server } = await startBrowserLab(t, { http: { limits: { headerBytes: 2048, requestMs: 300 } } });
  const large = await RawSocket.connect(t, place);
  large.send(`GET / HTTP/1.1\r\nx: ${'y'.repeat(4096)}\r\n\r\n`);
  assert.deepEqual(refusedWith(await large.rest()), [413, 'payload_too_large']);
  for (const beginning of [
    'GET / HTTP/1.1\r\n',
    `POST ${runtimePath}/workers HTTP/1.1\r\nhost: 127.0.0.1:${String(place.port)}\r\ncontent-length: 100\r\n`,
  ]) {
    const slow = await RawSocket.connect(t, place);
    slow.send(beginning);
    const drip = setInterval(() => slow.send('x: y\r\n'), 50);
    t.after(() => clearInterval(drip));
    assert.deepEqual(refusedWith(await slow.rest()), [400, 'invalid_request']);
    clearInterval(drip);
  }
  assert.equal(server.status()?.dropped.connectionsCutOff, 3);
});

test('a body that comes too slowly is cut off, though its head was let in', async (t) => {
  const { place, token } = await startBrowserLab(t, { http: { limits: { requestMs: 300 } } });
  const slow = await RawSocket.connect(t, place);
  slow.send(
    `POST ${runtimePath}/workers HTTP/1.1\r\nhost: 127.0.0.1:${String(place.port)}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n`,
  );
  const drip = setInterval(() => slow.send(' '), 50);
  t.after(() => clearInterval(drip));
  assert.deepEqual(refusedWith(await slow.rest()), [400, 'invalid_request']);
});

test('a connection that says nothing is closed, and so is one that has said all it wanted', async (t) => {
  const { place, server } = await startBrowserLab(t, { http: { limits: { idleMs: 300 } } });
  const silent = await RawSocket.connect(t, place);
  const done = await RawSocket.connect(t, place);
  done.send(`GET / HTTP/1.1\r\nhost: 127.0.0.1:${String(place.port)}\r\n\r\n`);
  assert.equal(await silent.rest(), '');
  assert.match(await done.rest(), /^HTTP\/1\.1 200 /);
  await until('both are gone', () => server.status()?.connections === 0);
});

test('who does not read his answer does not keep it in memory', async (t) => {
  const lab = await startBrowserLab(t, { http: { limits: { idleMs: 300, pendingRequests: 10_000 } } });
  const unread = await RawSocket.connect(t, lab.place);
  unread.socket.pause();
  const get = `GET /page.js HTTP/1.1\r\nhost: 127.0.0.1:${String(lab.place.port)}\r\n\r\n`;
  unread.send(get.repeat(5000));
  await until('it is cut off', () => lab.server.status()?.connections === 0);
});

test('connections beyond the bound are told so, and a place that is free again is given', async (t) => {
  const { place, server, ask: asks } = await startBrowserLab(t, { http: { limits: { connections: 3 } } });
  const held = await Promise.all(Array.from({ length: 3 }, () => RawSocket.connect(t, place)));
  await until('all are open', () => server.status()?.connections === 3);
  const beyond = await RawSocket.connect(t, place);
  assert.deepEqual(refusedWith(await beyond.rest()), [429, 'too_many_requests']);
  assert.equal(server.status()?.dropped.connectionsRefused, 1);
  held[0]?.socket.destroy();
  await until('one has gone', () => server.status()?.connections === 2);
  assert.equal((await asks('GET', '/api/runtimes')).status, 200);
});

test('a connection takes so many requests and is then closed; who is refused does not keep his', async (t) => {
  const { place, token } = await startBrowserLab(t, { http: { limits: { requestsPerConnection: 3 } } });
  const head = `GET /api/runtimes HTTP/1.1\r\nhost: 127.0.0.1:${String(place.port)}\r\n`;
  const busy = await RawSocket.connect(t, place);
  busy.send(`${head}authorization: Bearer ${token}\r\n\r\n`.repeat(5));
  assert.equal((await busy.rest()).split('HTTP/1.1 200 OK').length - 1, 3);
  const stranger = await RawSocket.connect(t, place);
  stranger.send(`${head}\r\n`.repeat(5));
  assert.equal((await stranger.rest()).split('HTTP/1.1 401 ').length - 1, 1);
});

test('a port that is taken is a fault with its remedy', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const { port } = other.address() as { port: number };
  await assert.rejects(startBrowserLab(t, { http: { port } }), (error: unknown) => {
    assert.ok(error instanceof HostError);
    assert.deepEqual([error.code, error.details], ['port_unusable', { host: '127.0.0.1', port, reason: 'EADDRINUSE' }]);
    assert.match(error.message, /taken by another program.*http\.port/);
    return true;
  });
});

test('while the daemon shuts down browsers are told so, and their connections end', async (t) => {
  let ending = false;
  const { ask: asks, server, place } = await startBrowserLab(t, { shuttingDown: () => ending });
  const idle = await RawSocket.connect(t, place);
  ending = true;
  assert.deepEqual(refusal(await asks('GET', '/api/runtimes')), [503, 'shutting_down', problem]);
  await server.close(5000);
  await idle.rest();
  await assert.rejects(asks('GET', '/api/runtimes'), /ECONNREFUSED/);
});
