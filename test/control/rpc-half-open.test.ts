// A client that has said all it wants to say still gets its answers; one that has gone is noticed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { startControl } from '../labs/control-lab.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { until } from '../labs/until.ts';

test('answers still pending are delivered after the client has ended its side, and then the connection ends', async (t) => {
  const { path, server } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  for (const [id, ms] of [
    [1, 150],
    [2, 50],
  ] as const)
    raw.request(id, 'tool.call', { plugin: 'p', tool: 'later', input: { ms } });
  raw.request(3, 'daemon.ping').socket.end();
  assert.deepEqual(
    (await raw.messages(3)).map((answer) => answer.id),
    [3, 2, 1],
  );
  assert.equal(await raw.rest(), '');
  await until('the connection is gone', () => server.counts().connections === 0);
  assert.equal(server.counts().connectionsCutOff, 0);
});

test('the last line needs no newline when the client ends its side', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  raw.send('{"jsonrpc":"2.0","id":1,"method":"daemon.ping"}').socket.end();
  assert.equal((await raw.message()).id, 1);
  assert.equal(await raw.rest(), '');
});

test('a client that ends its side in the middle of a line is told that it is not JSON', async (t) => {
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  raw.send('{"jsonrpc":"2.0","id":1,"meth').socket.end();
  assert.equal((await raw.message()).error?.code, -32700);
  assert.equal(await raw.rest(), '');
});

test('more answers than fit into the pipe are delivered to a client that has ended its side', async (t) => {
  const { path } = await startControl(t, {
    handlers: { 'plugin.list': () => ({ plugins: [], invalid: [{ path: 'x'.repeat(32 * 1024), issues: [] }] }) },
  });
  const raw = await RawSocket.connect(t, path);
  raw.send('{"jsonrpc":"2.0","id":1,"method":"plugin.list"}\n'.repeat(500)).socket.end();
  await raw.messages(480);
  // The last ones are read late, when the daemon has said all it had to say.
  raw.socket.pause();
  await pause(1500);
  raw.socket.resume();
  await raw.messages(20);
  assert.equal(await raw.rest(), '');
});

test('what a call waits for is told that its caller has gone', async (t) => {
  const aborted: unknown[] = [];
  const { path } = await startControl(t, {
    handlers: {
      'tool.call': async ({ input }, caller) => {
        await once(caller.signal, 'abort');
        aborted.push(input);
        return { output: null, durationMs: 0 };
      },
    },
  });
  const raw = await RawSocket.connect(t, path);
  for (const input of ['first', 'second']) raw.request(input, 'tool.call', { plugin: 'p', tool: 't', input });
  raw.request('marker', 'daemon.ping');
  await raw.message();
  raw.socket.destroy();
  await until('both calls are told', () => aborted.length === 2);
});

test('every connection has an id of its own, and its calls share it', async (t) => {
  const ids: string[] = [];
  const { path } = await startControl(t, {
    handlers: {
      'daemon.ping': (_, caller) => {
        ids.push(caller.id);
        assert.equal(caller.audience, 'control');
        return { pong: true, at: '' };
      },
    },
  });
  for (let connection = 0; connection < 3; connection += 1) {
    const raw = await RawSocket.connect(t, path);
    raw.request(1, 'daemon.ping').request(2, 'daemon.ping');
    await raw.messages(2);
  }
  assert.equal(ids.length, 6);
  assert.equal(new Set(ids).size, 3);
  assert.equal(ids[0], ids[1]);
});
