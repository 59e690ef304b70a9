// Unfinished requests have a bound in common, and what a client leaves behind when it goes is not parsed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, createConnection } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { startControl } from '../labs/control-lab.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { until } from '../labs/until.ts';

const mib = 1024 * 1024;
const begin = '{"jsonrpc":"2.0","id":1,"method":"tool.call","params":{"plugin":"p","tool":"echo","input":"';

async function halfLine(t: TestContext, path: string, bytes: number): Promise<RawSocket> {
  const raw = await RawSocket.connect(t, path);
  raw.send(begin);
  await new Promise((written) => raw.socket.write(Buffer.alloc(bytes - begin.length, 'x'), written));
  return raw;
}

test('what all unfinished lines hold together is bounded, and the line that finds no room is refused by name', async (t) => {
  const { path, server, halfLines } = await startControl(t, { limits: { halfLineBytes: 16 * mib } });
  const first = await halfLine(t, path, 7 * mib);
  await until('the first line is held', () => halfLines.bytes >= 7 * mib);
  const others = await Promise.all([halfLine(t, path, 7 * mib), halfLine(t, path, 7 * mib)]);
  await until('one is cut off', () => server.counts().connectionsCutOff >= 1);
  const answers = await Promise.all(
    others.map(async (raw) => (raw.text.includes('\n') ? (await raw.message()).error?.data : undefined)),
  );
  const refused = answers.filter((answer) => answer !== undefined);
  assert.ok(refused.length >= 1, 'one was told');
  for (const error of refused) {
    assert.equal(error.code, 'too_many_requests');
    assert.equal(error.retryable, true);
    assert.deepEqual(error.details, { limit: 'limits.halfLineBytes', maximum: 16 * mib });
  }
  assert.ok(halfLines.bytes <= 16 * mib);
  first.send('"}}\n');
  assert.equal((await first.message()).id, 1);
  for (const raw of others) raw.socket.destroy();
  await until('everything is given back', () => halfLines.bytes === 0);
});

test('a small line is taken also while large ones hold all the room', async (t) => {
  const { path, halfLines } = await startControl(t, { limits: { halfLineBytes: 8 * mib + 64, lineBytes: 8 * mib } });
  await halfLine(t, path, 7 * mib);
  await until('the room is taken', () => halfLines.bytes >= 7 * mib);
  const small = await RawSocket.connect(t, path);
  small.send(`${begin}${'y'.repeat(32 * 1024)}`);
  await until('its beginning is held', () => halfLines.bytes > 7 * mib + 32 * 1024);
  small.send('"}}\n');
  assert.equal((await small.message()).id, 1);
});

test('an unfinished HTTP body counts among them, and is given back when its client goes', async (t) => {
  const { path, halfLines } = await startControl(t, { limits: { halfLineBytes: 8 * mib } });
  const head =
    'POST /api/tools/p/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 7000000\r\n\r\n';
  const first = await RawSocket.connect(t, path);
  first.send(head).send(Buffer.alloc(6_000_000, ' '));
  await until('the body is held', () => halfLines.bytes >= 6_000_000);
  const second = await RawSocket.connect(t, path);
  second.send(head).send(Buffer.alloc(6_000_000, ' '));
  await until('the second is answered', () => second.text.includes('\r\n\r\n'));
  assert.match(second.text, /^HTTP\/1\.1 429 /);
  assert.match(second.text, /limits\.halfLineBytes/);
  for (const raw of [first, second]) raw.socket.destroy();
  await until('everything is given back', () => halfLines.bytes === 0);
});

test('sixty clients that go with eight megabytes of unfinished line each do not keep the host from anything', async (t) => {
  const { path, server, halfLines } = await startControl(t, { limits: { halfLineBytes: 512 * mib } });
  const neighbour = await RawSocket.connect(t, path);
  const clients: Socket[] = [];
  const almost = Buffer.alloc(8 * mib - 1000, 'x');
  for (let at = 0; at < 60; at += 1) {
    const client = createConnection(path);
    client.on('error', () => {});
    await once(client, 'connect');
    client.write(begin);
    await new Promise((written) => client.write(almost, written));
    clients.push(client);
  }
  await until('all of it is held', () => halfLines.bytes >= 60 * almost.length);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  for (const client of clients) client.destroy();
  neighbour.request(1, 'daemon.ping');
  await neighbour.message();
  await until('they are gone', () => server.counts().connections === 1);
  delay.disable();
  assert.equal(halfLines.bytes, 0);
  assert.ok(delay.max / 1e6 < 300, `the host stood for ${String(Math.round(delay.max / 1e6))} ms`);
});
