// One socket, two languages: the first byte tells, and what is neither is told so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startControl } from '../labs/control-lab.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { until } from '../labs/until.ts';

test('a brace or bracket opens JSON-RPC, a letter HTTP, on the same socket and at the same time', async (t) => {
  const { path } = await startControl(t);
  const object = await RawSocket.connect(t, path);
  const array = await RawSocket.connect(t, path);
  const http = await RawSocket.connect(t, path);
  object.request(1, 'daemon.ping');
  array.send('[{"jsonrpc":"2.0","id":2,"method":"daemon.ping"}]\n');
  http.send('GET /api/ping HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
  assert.equal((await object.message()).id, 1);
  assert.equal((await array.batch())[0]?.id, 2);
  assert.match(await http.rest(), /^HTTP\/1\.1 200 OK\r\n[^]*"pong":true/);
});

test('the first byte may come alone, and after white space', async (t) => {
  const { path } = await startControl(t);
  const http = await RawSocket.connect(t, path);
  for (const part of ['\r\n', 'G', 'ET /api/pi', 'ng HTTP/1.1\r\nho', 'st: x\r\nconnection: close\r\n\r\n'])
    await new Promise((written) => http.socket.write(part, written));
  assert.match(await http.rest(), /^HTTP\/1\.1 200/);
  const rpc = await RawSocket.connect(t, path);
  for (const part of [' \n', '\t', '{', '"jsonrpc":"2.0","id":1,', '"method":"daemon.ping"}', '\n'])
    await new Promise((written) => rpc.socket.write(part, written));
  assert.equal((await rpc.message()).id, 1);
});

test('bytes of any other kind get one line that says what is spoken here, and the end', async (t) => {
  const { path, server } = await startControl(t);
  const garbage = [
    Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]),
    Buffer.from('"text"\n'),
    Buffer.from('\u0000\n'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('123\n'),
  ];
  for (const bytes of garbage) {
    const raw = await RawSocket.connect(t, path);
    raw.send(bytes);
    const { id, error } = await raw.message();
    assert.equal(id, null);
    assert.equal(error?.data.code, 'invalid_request');
    assert.deepEqual(error.data.details['expected'], ['JSON-RPC 2.0 in lines', 'HTTP/1.1']);
    assert.equal(await raw.rest(), '');
  }
  assert.equal(server.counts().connectionsCutOff, garbage.length);
});

test('a connection that says nothing is left in peace, and one that leaves unheard is forgotten', async (t) => {
  const { path, server } = await startControl(t, { limits: { idleHalfLineMs: 100 } });
  const silent = await RawSocket.connect(t, path);
  const leaving = await RawSocket.connect(t, path);
  await until('both are counted', () => server.counts().connections === 2);
  leaving.socket.end();
  await leaving.rest();
  await until('one has gone', () => server.counts().connections === 1);
  // Other connections come and go for several times as long as a half line may last.
  const end = performance.now() + 400;
  while (performance.now() < end) {
    const other = await RawSocket.connect(t, path);
    other.request(1, 'daemon.ping');
    await other.message();
    other.socket.destroy();
  }
  silent.request(1, 'daemon.ping');
  assert.equal((await silent.message()).id, 1);
});

test('one connection more than there may be is told so and closed, and there is room again when one leaves', async (t) => {
  const { path, server } = await startControl(t, { limits: { connections: 2 } });
  const first = await RawSocket.connect(t, path);
  const second = await RawSocket.connect(t, path);
  await until('two connections', () => server.counts().connections === 2);
  const third = await RawSocket.connect(t, path);
  const { id, error } = await third.message();
  assert.equal(id, null);
  assert.equal(error?.data.code, 'too_many_requests');
  assert.deepEqual(error.data.details, { limit: 'limits.connections', maximum: 2 });
  assert.equal(await third.rest(), '');
  assert.equal(server.counts().connectionsRefused, 1);
  first.request(1, 'daemon.ping');
  assert.equal((await first.message()).id, 1);
  second.socket.destroy();
  await until('one has left', () => server.counts().connections === 1);
  const fourth = await RawSocket.connect(t, path);
  fourth.request(4, 'daemon.ping');
  assert.equal((await fourth.message()).id, 4);
});
