// Websocket sources as a peer and an operator meet them: the real daemon, real sockets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { pluginId } from '../labs/webhook-lab.ts';
import { chatSource, credential, reported, startPeer, websocketLab } from '../labs/websocket-lab.ts';
import { untilAnswer } from '../labs/until.ts';

test('messages become events, and the credential goes to the peer alone', async (t) => {
  const peer = await startPeer(t);
  const lab = await websocketLab(t, {
    sources: [chatSource(peer.url, { hello: [{ op: 2, token: '{env}' }, 'plain'], idFrom: { body: '/id' } })],
  });
  const connection = await peer.connection(0);
  assert.equal(peer.requests[0]?.headers.authorization, `Bearer ${credential}`);
  assert.equal(peer.requests[0].headers['sec-websocket-extensions'], undefined);
  await untilAnswer(
    'the answer fits',
    () => peer.received.length,
    (count) => count === 2,
  );
  assert.deepEqual(peer.received, [JSON.stringify({ op: 2, token: credential }), 'plain']);

  connection.send('{"id":"m-1","text":"hello"}');
  connection.send('{"id":"m-1","text":"hello"}');
  connection.send('no JSON');
  connection.send(Buffer.from([1, 2, 3]));
  await untilAnswer('the answer fits', lab.handled, (count) => count === 3);
  const { payloads } = await reported(lab);
  assert.deepEqual(payloads, [{ data: { id: 'm-1', text: 'hello' } }, { data: 'no JSON' }, { base64: 'AQID' }]);
  const { state, counters, lastError, lastEventAt } = await lab.source('chat');
  assert.equal(state, 'open');
  assert.equal(lastError, null);
  assert.notEqual(lastEventAt, null);
  assert.deepEqual(counters, { received: 4, accepted: 3, duplicates: 1, refused: 0, ignored: 0, reconnects: 0 });
  const told = JSON.stringify([
    await lab.client.call('service.status', { plugin: pluginId, wait: true }),
    lab.daemon.log(),
  ]);
  assert.ok(!told.includes(credential));
});

test('kindFrom names the kind, and what is of another kind is ignored', async (t) => {
  const peer = await startPeer(t);
  const source = { ...chatSource(peer.url), kind: undefined, kindFrom: { body: '/t' } };
  const lab = await websocketLab(t, { sources: [source] });
  const connection = await peer.connection(0);
  for (const message of ['{"t":"issues"}', '{"t":"other"}', '{"op":11}', 'text']) connection.send(message);
  await untilAnswer(
    'the answer fits',
    () => lab.source('chat'),
    ({ counters }) => counters.ignored === 3,
  );
  await untilAnswer('the answer fits', lab.handled, (count) => count === 1);
  assert.equal((await reported(lab)).newest?.['kind'], 'issues');
});

test('a peer that stops answering without closing is found within two heartbeats', async (t) => {
  const peer = await startPeer(t, { autoPong: false });
  const everyMs = 1000;
  const lab = await websocketLab(t, {
    sources: [chatSource(peer.url, { heartbeat: { everyMs, expectMs: 2 * everyMs } })],
  });
  const connection = await peer.connection(0);
  const openedMs = Date.now();
  await once(connection, 'close');
  const lastedMs = Date.now() - openedMs;
  assert.ok(lastedMs >= everyMs, String(lastedMs));
  // Generous, because machines of CI are slow; it is two heartbeats on one that is not.
  assert.ok(lastedMs < 10 * everyMs, String(lastedMs));
  await peer.connection(1);
  const { lastError, counters } = await lab.source('chat');
  assert.equal(lastError?.code, 'connection_silent');
  assert.ok(counters.reconnects >= 1);
});

test('a peer that answers heartbeats stays, and a declared heartbeat is sent in place of a ping', async (t) => {
  const peer = await startPeer(t);
  await websocketLab(t, {
    sources: [
      chatSource(peer.url, { heartbeat: { everyMs: 100, expectMs: 60_000, message: { op: 1, d: '{position}' } } }),
    ],
  });
  await untilAnswer(
    'the answer fits',
    () => peer.received.length,
    (count) => count >= 3,
  );
  assert.equal(peer.received[0], '{"op":1,"d":null}');
  assert.equal(peer.connections.length, 1);
});

test('close codes are final or not, and a final one is tried again when somebody asks', async (t) => {
  const peer = await startPeer(t);
  const lab = await websocketLab(t, { sources: [chatSource(peer.url, { finalCodes: [4004] })] });
  (await peer.connection(0)).close(1001, 'going away');
  (await peer.connection(1)).close(4000);
  (await peer.connection(2)).terminate();
  (await peer.connection(3)).close(4004, `bad ${credential}`);
  const { lastError } = await untilAnswer(
    'the answer fits',
    () => lab.source('chat'),
    ({ state }) => state === 'faulty',
  );
  assert.match(lastError?.message ?? '', /code 4004 and said: bad \[credential\]\. No other connection is tried/);
  assert.equal(peer.connections.length, 4);
  await lab.client.call('source.resume', { plugin: pluginId, source: 'chat' });
  await peer.connection(4);
  await untilAnswer(
    'the answer fits',
    () => lab.source('chat'),
    ({ state }) => state === 'open',
  );
});

test('a peer that refuses the credential is a fault, and one that is not there is tried again', async (t) => {
  const peer = await startPeer(t, { refuse: ({ url }) => (url === '/refused' ? 401 : undefined) });
  const refused = peer.url.replace('/socket', '/refused');
  const lab = await websocketLab(t, {
    sources: [
      chatSource(refused),
      chatSource('ws://127.0.0.1:1/nobody', { name: 'nobody' }),
      chatSource(peer.url, { name: 'unset', auth: { env: 'NOBODY_SET_THIS' } }),
    ],
  });
  const faulty = await untilAnswer(
    'the answer fits',
    () => lab.source('chat'),
    ({ state }) => state === 'faulty',
  );
  assert.match(faulty.lastError?.message ?? '', /refused the connection with HTTP 401/);
  const nobody = await untilAnswer(
    'the answer fits',
    () => lab.source('nobody'),
    ({ counters }) => counters.reconnects >= 2,
  );
  assert.match(nobody.lastError?.message ?? '', /ECONNREFUSED/);
  const unset = await lab.source('unset');
  assert.equal(unset.state, 'faulty');
  assert.match(unset.lastError?.message ?? '', /NOBODY_SET_THIS is not set/);
  assert.equal(peer.connections.length, 0);
});

test('a new connection goes on where the last one ended, unless the peer does not', async (t) => {
  const peer = await startPeer(t);
  const lab = await websocketLab(t, {
    sources: [
      chatSource(peer.url, {
        hello: ['hello'],
        resume: { from: { body: '/s' }, messages: [{ op: 6, seq: '{position}', token: '{env}' }] },
      }),
    ],
  });
  const first = await peer.connection(0);
  first.send('{"s":7}');
  await untilAnswer('the answer fits', lab.handled, (count) => count === 1);
  first.terminate();
  const second = await peer.connection(1);
  await untilAnswer(
    'the answer fits',
    () => peer.received.length,
    (count) => count === 2,
  );
  second.close(4009);
  await peer.connection(2);
  await untilAnswer(
    'the answer fits',
    () => peer.received.length,
    (count) => count === 3,
  );
  assert.deepEqual(peer.received, ['hello', JSON.stringify({ op: 6, seq: 7, token: credential }), 'hello']);
});

test('a stopped or paused source is closed, and a reload keeps the connection', async (t) => {
  const peer = await startPeer(t);
  const lab = await websocketLab(t, { sources: [chatSource(peer.url)] });
  const first = await peer.connection(0);
  await untilAnswer(
    'the answer fits',
    () => lab.source('chat'),
    ({ state }) => state === 'open',
  );
  await lab.client.call('plugin.reload', { plugin: pluginId });
  first.send('{"n":1}');
  await untilAnswer('the answer fits', lab.handled, (count) => count === 1);
  assert.equal(peer.connections.length, 1);
  assert.equal(first.readyState, 1);

  const closed = once(first, 'close');
  await lab.client.call('service.stop', { plugin: pluginId });
  assert.equal((await closed)[0], 1000);
  assert.equal((await lab.source('chat')).state, 'paused');
  await lab.client.call('service.start', { plugin: pluginId });
  const second = await peer.connection(1);
  const again = once(second, 'close');
  await lab.client.call('source.pause', { plugin: pluginId, source: 'chat' });
  await again;
  assert.equal((await lab.source('chat')).state, 'paused');
  await lab.client.call('source.resume', { plugin: pluginId, source: 'chat' });
  const third = await peer.connection(2);
  const unloaded = once(third, 'close');
  await lab.client.call('plugin.unload', { plugin: pluginId });
  await unloaded;
});
