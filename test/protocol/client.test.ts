// The client library against a real control server: typed answers, typed errors, and an end to every wait.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Client, HostError, connect } from '../../protocol/client/client.ts';
import type { FeedNotification } from '../../protocol/operations/telemetry.ts';
import { startControl } from '../labs/control-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

async function open(t: test.TestContext, socket: string, callMs = 20_000): Promise<Client> {
  const client = await connect({ socket, callMs });
  t.after(() => client.close());
  return client;
}

const code = (expected: string, details?: Record<string, unknown>) => (error: unknown) => {
  assert.ok(error instanceof HostError);
  assert.equal(error.code, expected);
  if (details !== undefined) assert.deepEqual(error.details, details);
  return true;
};

test('a call is answered with its result or with the error of the registry', async (t) => {
  const { path } = await startControl(t);
  const client = await open(t, path);
  assert.equal((await client.call('daemon.ping', {})).pong, true);
  assert.deepEqual((await client.call('tool.call', { plugin: 'p', tool: 'echo', input: { a: 'é\n' } })).output, {
    a: 'é\n',
  });
  await assert.rejects(client.call('plugin.list', {}), code('unsupported_operation'));
  await assert.rejects(client.request('plugin.lst', {}), code('method_not_found'));
  await assert.rejects(client.request('plugin.show', { plugin: 'NO' }), (error: unknown) => {
    assert.ok(error instanceof HostError);
    assert.equal(error.code, 'invalid_request');
    assert.equal((error.details['issues'] as { path: string }[])[0]?.path, 'plugin');
    assert.equal(error.retryable, false);
    return true;
  });
});

test('a thousand calls at once each get their own answer', async (t) => {
  const { path } = await startControl(t);
  const client = await open(t, path);
  const numbers = Array.from({ length: 1000 }, (_, index) => index);
  const outputs = await Promise.all(
    numbers.map(
      async (index) =>
        (await client.call('tool.call', { plugin: 'p', tool: 'later', input: { ms: index % 7, index } })).output,
    ),
  );
  assert.deepEqual(
    outputs.map((output) => (output as { index: number }).index),
    numbers,
  );
});

test('events reach the one listener, with the answer to the subscription before them', async (t) => {
  const { path, feed } = await startControl(t);
  const client = await open(t, path);
  const received: FeedNotification[] = [];
  client.onEvent((notification) => received.push(notification));
  const { subscriptionId } = await client.call('events.subscribe', { topics: ['failure'] });
  feed.publish({ topic: 'failure', at: '2026-01-01T00:00:00.000Z', plugin: 'p', data: { n: 1 } });
  await until('an event', () => received.length === 1);
  assert.deepEqual([received[0]?.subscriptionId, received[0]?.event.data], [subscriptionId, { n: 1 }]);
  assert.deepEqual(await client.call('events.unsubscribe', { subscriptionId }), { unsubscribed: true, dropped: 0 });
});

test('a call that is not answered in time is given up, and the others are not', async (t) => {
  const { path } = await startControl(t);
  const client = await open(t, path);
  await assert.rejects(
    client.call('tool.call', { plugin: 'p', tool: 'never' }, { timeoutMs: 50 }),
    code('connection_closed', { method: 'tool.call', timeoutMs: 50 }),
  );
  assert.equal((await client.call('daemon.ping', {})).pong, true);
});

test('what was pending when the daemon ended is told so, and so is what is asked afterwards', async (t) => {
  const { path, server } = await startControl(t);
  const client = await open(t, path);
  const pending = assert.rejects(client.call('tool.call', { plugin: 'p', tool: 'never' }), code('connection_closed'));
  await client.call('daemon.ping', {});
  await server.close(50);
  await pending;
  await client.closed;
  await assert.rejects(client.call('daemon.ping', {}), code('connection_closed'));
});

test('a client that closes still gets the answers it waits for', async (t) => {
  const { path } = await startControl(t);
  const client = await open(t, path);
  const pending = client.call('tool.call', { plugin: 'p', tool: 'later', input: { ms: 100 } });
  await client.call('daemon.ping', {});
  await client.close();
  assert.deepEqual((await pending).output, { ms: 100 });
});

test("the daemon's own reason for ending a connection is what its calls end in", async (t) => {
  const { path } = await startControl(t, { limits: { connections: 1, lineBytes: 2048 } });
  const first = await open(t, path);
  await first.call('daemon.ping', {});
  const second = await open(t, path);
  await assert.rejects(
    second.call('daemon.ping', {}),
    code('too_many_requests', { limit: 'limits.connections', maximum: 1 }),
  );
  await assert.rejects(
    first.call('tool.call', { plugin: 'p', tool: 'echo', input: 'x'.repeat(5000) }),
    code('payload_too_large', { limit: 'limits.lineBytes', maximum: 2048 }),
  );
});

test('where no daemon answers, the error names the socket', async (t) => {
  const path = join(await temporaryFolder(t), 'none.sock');
  await assert.rejects(connect({ socket: path }), code('daemon_unreachable', { socket: path, reason: 'ENOENT' }));
});

test('a peer that speaks nonsense ends the connection and not the client', async (t) => {
  const path = join(await temporaryFolder(t), 'nonsense.sock');
  const answers = ['not json\n', 'null\n', '7\n', '[]\n', '{"id":1,"error":"text"}\n'];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answers.shift() ?? ''));
  });
  server.listen(path);
  await once(server, 'listening');
  t.after(() => server.close());
  while (answers.length > 0) {
    const client = await open(t, path);
    await assert.rejects(client.call('daemon.ping', {}), (error: unknown) => error instanceof HostError);
    await client.closed;
  }
});
