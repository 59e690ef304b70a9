// What a client can do to the daemon's memory and time: too long, too deep, too slow, or never reading.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { startControl } from '../labs/control-lab.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { until } from '../labs/until.ts';

const mib = 1024 * 1024;

test('a line beyond its bound is answered and cut off, without its bytes being kept', async (t) => {
  const { path, server } = await startControl(t, { limits: { lineBytes: 8 * mib } });
  const raw = await RawSocket.connect(t, path);
  const neighbour = await RawSocket.connect(t, path);
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 1);
  t.after(() => clearInterval(watch));
  const before = process.memoryUsage().arrayBuffers;
  raw.send('{"jsonrpc":"2.0","id":1,"method":"');
  const chunk = Buffer.alloc(mib / 4, 'x');
  for (let sent = 0; sent < 9 * mib; sent += chunk.length) {
    await new Promise((written) => raw.socket.write(chunk, written));
    neighbour.request(sent, 'daemon.ping');
    await neighbour.message();
  }
  const { id, error } = await raw.message();
  assert.equal(id, null);
  assert.equal(error?.data.code, 'payload_too_large');
  assert.deepEqual(error.data.details, { limit: 'limits.lineBytes', maximum: 8 * mib });
  await raw.rest();
  assert.equal(server.counts().connectionsCutOff, 1);
  assert.ok(most - before < 40 * mib, `${String((most - before) / mib)} MiB of buffers for an 8 MiB line`);
});

test('a line just within its bound is taken', async (t) => {
  const { path } = await startControl(t, { limits: { lineBytes: 4096 } });
  const raw = await RawSocket.connect(t, path);
  const fill = (bytes: number): string => {
    const empty = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tool.call',
      params: { plugin: 'p', tool: 'echo', input: '' },
    });
    return empty.replace('"input":""', `"input":"${'x'.repeat(bytes - empty.length)}"`);
  };
  raw.send(`${fill(4096)}\n`);
  assert.equal((await raw.message()).error, undefined);
  raw.send(`${fill(4097)}\n`);
  assert.equal((await raw.message()).error?.data.code, 'payload_too_large');
});

test('a million opening brackets are refused at once, and the connection goes on', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  const nested = `{"jsonrpc":"2.0","id":1,"method":"tool.call","params":{"plugin":"p","tool":"echo","input":${'['.repeat(500)}${']'.repeat(500)}}}`;
  for (const text of ['['.repeat(1_000_000), '{"a":'.repeat(200_000), nested]) {
    const began = performance.now();
    raw.send(`${text}\n`);
    const { error } = await raw.message();
    assert.equal(error?.code, -32600);
    assert.deepEqual(error.data.details, { limit: 'limits.nesting', maximum: 128 });
    assert.ok(performance.now() - began < 5000);
  }
  raw.request(1, 'daemon.ping');
  assert.equal((await raw.message()).id, 1);
});

test('half a line that is not finished in time is answered and cut off', async (t) => {
  const { path, server } = await startControl(t, { limits: { idleHalfLineMs: 200 } });
  const raw = await RawSocket.connect(t, path);
  raw.request(1, 'daemon.ping');
  await raw.message();
  raw.send('{"jsonrpc":"2.0",');
  const { id, error } = await raw.message();
  assert.equal(id, null);
  assert.equal(error?.data.code, 'invalid_request');
  assert.equal(error.data.details['limit'], 'limits.idleHalfLineMs');
  assert.equal(await raw.rest(), '');
  assert.equal(server.counts().connectionsCutOff, 1);
});

test('a byte now and then does not make half a line last longer, and whole lines never count as half', async (t) => {
  const { path } = await startControl(t, { limits: { idleHalfLineMs: 300 } });
  const drip = await RawSocket.connect(t, path);
  const steady = await RawSocket.connect(t, path);
  drip.send('{"jsonrpc":"2.0","id":"');
  const dripping = setInterval(() => drip.send('x'), 30);
  t.after(() => clearInterval(dripping));
  // The steady one always has a line begun when it sends the end of the one before.
  steady.send('{"jsonrpc":"2.0","id":0,');
  for (let id = 1; id <= 20; id += 1) {
    await pause(40);
    steady.send(`"method":"daemon.ping"}\n{"jsonrpc":"2.0","id":${String(id)},`);
    assert.equal((await steady.message()).id, id - 1);
  }
  assert.equal((await drip.message()).error?.data.code, 'invalid_request');
});

test('a client that never reads is not read from any more, and nobody else notices', async (t) => {
  const { path } = await startControl(t, {
    handlers: { 'plugin.list': () => ({ plugins: [], invalid: [{ path: 'x'.repeat(64 * 1024), issues: [] }] }) },
  });
  const deaf = await RawSocket.connect(t, path);
  deaf.socket.pause();
  const neighbour = await RawSocket.connect(t, path);
  const line = '{"jsonrpc":"2.0","id":1,"method":"plugin.list"}\n'.repeat(1000);
  const before = process.memoryUsage();
  // 64 answers to every KiB asked: it could make the daemon hold gigabytes.
  for (let sent = 0; sent < 40; sent += 1) deaf.send(line);
  let slowest = 0;
  for (let id = 0; id < 200; id += 1) {
    const began = performance.now();
    neighbour.request(id, 'daemon.ping');
    await neighbour.message();
    slowest = Math.max(slowest, performance.now() - began);
  }
  assert.ok(deaf.socket.writableLength > 0, 'what it sends is no longer taken');
  assert.ok(slowest < 2000, `a neighbour waited ${String(slowest)} ms`);
  const after = process.memoryUsage();
  assert.ok(after.heapUsed + after.external - before.heapUsed - before.external < 64 * mib, 'memory is bounded');
  // Once it reads, it gets all it asked for.
  deaf.socket.resume();
  await deaf.messages(2000);
});

test('a client that leaves more unread than it may is cut off and counted', async (t) => {
  const { path, server, logged } = await startControl(t, {
    limits: { answerBytes: 256 * 1024, pendingCalls: 100_000 },
    handlers: {
      'tool.call': async () => {
        await pause(50);
        return { output: 'x'.repeat(1024), durationMs: 0 };
      },
    },
  });
  const deaf = await RawSocket.connect(t, path);
  deaf.socket.pause();
  const neighbour = await RawSocket.connect(t, path);
  // All are taken before the first is answered, so that stopping to read cannot help.
  deaf.send('{"jsonrpc":"2.0","id":1,"method":"tool.call","params":{"plugin":"p","tool":"t"}}\n'.repeat(2000));
  await until('it is cut off', () => server.counts().connectionsCutOff === 1);
  await until('it is gone', () => server.counts().connections === 1);
  assert.ok(logged.some(({ fields }) => 'reason' in fields && fields.reason === 'answers_unread'));
  neighbour.request(1, 'daemon.ping');
  assert.equal((await neighbour.message()).id, 1);
});

test('a flood of costly requests is served in turns with the others', async (t) => {
  const { path } = await startControl(t, {
    handlers: {
      'plugin.list': () => {
        const end = performance.now() + 1;
        while (performance.now() < end);
        return { plugins: [], invalid: [] };
      },
    },
  });
  const flood = await RawSocket.connect(t, path);
  const neighbour = await RawSocket.connect(t, path);
  flood.send('{"jsonrpc":"2.0","id":1,"method":"plugin.list"}\n'.repeat(3000));
  await flood.line();
  let trips = 0;
  let answered = 1;
  const all = (async () => {
    for (; answered < 3000; answered += 1) await flood.line();
  })();
  while (answered < 3000) {
    neighbour.request(trips, 'daemon.ping');
    await neighbour.message();
    trips += 1;
  }
  await all;
  assert.ok(trips > 30, `only ${String(trips)} round trips fitted between 3000 costly requests`);
});
