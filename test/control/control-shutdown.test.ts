// How the control surface ends: what is pending is answered, what is new is refused, and it never takes longer than
// its deadline.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { startControl } from '../labs/control-lab.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { until } from '../labs/until.ts';

test('while the daemon shuts down new work is refused, and what is allowed then is still answered', async (t) => {
  let shuttingDown = false;
  const { path } = await startControl(t, { shuttingDown: () => shuttingDown });
  const raw = await RawSocket.connect(t, path);
  raw.request(1, 'tool.call', { plugin: 'p', tool: 'later', input: { ms: 100 } }).request(2, 'daemon.ping');
  assert.equal((await raw.message()).id, 2);
  shuttingDown = true;
  raw.request(3, 'tool.call', { plugin: 'p', tool: 'echo' }).request(4, 'daemon.ping');
  const [refused, pong, pending] = await raw.messages(3);
  assert.equal(refused?.error?.data.code, 'shutting_down');
  assert.equal(refused.error.data.retryable, true);
  assert.equal(pong?.result?.['pong'], true);
  assert.equal(pending?.id, 1);
  assert.equal(pending.error, undefined);

  const http = await RawSocket.connect(t, path);
  http.send('GET /api/plugins HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  assert.match(await http.rest(), /^HTTP\/1\.1 503 [^]*"code":"shutting_down"/);
});

test('closing answers what is pending, ends every connection, and leaves no socket and no lock', async (t) => {
  const { path, server } = await startControl(t);
  const pending = await RawSocket.connect(t, path);
  const idle = await RawSocket.connect(t, path);
  const subscribed = await RawSocket.connect(t, path);
  const http = await RawSocket.connect(t, path);
  const keptAlive = await RawSocket.connect(t, path);
  const events = await RawSocket.connect(t, path);
  pending.request(1, 'tool.call', { plugin: 'p', tool: 'later', input: { ms: 300 } });
  pending.request(2, 'daemon.ping');
  assert.equal((await pending.message()).id, 2);
  subscribed.request(1, 'events.subscribe', {});
  await subscribed.message();
  const body = JSON.stringify({ input: { ms: 300 } });
  http.send(
    `POST /api/tools/p/later HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`,
  );
  keptAlive.send('GET /api/ping HTTP/1.1\r\nhost: x\r\n\r\n');
  await keptAlive.includes('"pong":true');
  events.send('GET /api/events HTTP/1.1\r\nhost: x\r\n\r\n');
  await events.includes(': open');

  const began = performance.now();
  await server.close(15_000);
  assert.ok(performance.now() - began < 10_000, 'nobody was waited for until the deadline');
  assert.equal((await pending.message()).id, 1);
  assert.match(await http.rest(), /^HTTP\/1\.1 200 [^]*"ms":300/);
  for (const raw of [pending, idle, subscribed]) assert.equal(await raw.rest(), '');
  assert.match(await events.rest(), /0\r\n\r\n$/, 'the stream ends as a stream does');
  assert.deepEqual([existsSync(path), existsSync(`${path}.lock`)], [false, false]);
  await assert.rejects(RawSocket.connect(t, path));
});

test('a call that does not end and a client that does not read are left behind at the deadline', async (t) => {
  const { path, server } = await startControl(t, {
    handlers: {
      'tool.call': () => new Promise(() => {}),
      'plugin.list': () => ({ plugins: [], invalid: [{ path: 'x'.repeat(1024 * 1024), issues: [] }] }),
    },
  });
  const stuck = await RawSocket.connect(t, path);
  stuck.request(1, 'tool.call', { plugin: 'p', tool: 't' }).request(2, 'daemon.ping');
  await stuck.message();
  const deaf = await RawSocket.connect(t, path);
  deaf.request(1, 'plugin.list');
  await deaf.includes('x');
  deaf.socket.pause();
  deaf.request(2, 'plugin.list');
  const http = await RawSocket.connect(t, path);
  http.send('POST /api/tools/p/t HTTP/1.1\r\nhost: x\r\n\r\n');
  await until('three connections', () => server.counts().connections === 3);
  const began = performance.now();
  await server.close(300);
  const tookMs = performance.now() - began;
  assert.ok(tookMs >= 295 && tookMs < 5000, `took ${String(tookMs)} ms`);
  assert.equal(existsSync(path), false);
});

test('closing twice is closing once', async (t) => {
  const { server } = await startControl(t);
  await Promise.all([server.close(1000), server.close(1000)]);
  await server.close(1000);
});

test('a daemon that ends hard leaves neither socket nor lock', async (t) => {
  const { path, server } = await startControl(t);
  server.release();
  assert.deepEqual([existsSync(path), existsSync(`${path}.lock`)], [false, false]);
  server.release();
});
