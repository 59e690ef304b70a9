// Outputs that go over a connection: to the peer of a websocket source, and to an MQTT broker.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { belowTopic } from '../../protocol/topics.ts';
import { brokerPassword, brokerUser, needsBroker, startBroker } from '../labs/broker-lab.ts';
import { outputLab, sender } from '../labs/output-lab.ts';
import { startPeer } from '../labs/websocket-lab.ts';
import { until } from '../labs/until.ts';

const lamp = (url: string, more: object = {}): object => ({
  name: 'lamp',
  type: 'mqtt',
  url,
  topic: 'home/lamp',
  ...more,
});
const reply = { name: 'reply', type: 'websocket', source: 'chat' };

test('commands go to the peer of the source, over its one connection and after hello', async (t) => {
  const peer = await startPeer(t);
  const chat = { name: 'chat', type: 'websocket', ingress: 'in', kind: 'do', url: peer.url, hello: ['hello'] };
  const { send, output, client } = await outputLab(t, {
    sources: [{ ...chat, reconnect: { backoffMs: [10, 50] } }],
    outputs: [reply],
  });
  await send(['reply', { text: 'one' }], ['reply', 'two'], ['reply', ['three']]);
  await until('they have arrived', () => Promise.resolve(peer.received.length === 4));
  assert.deepEqual(peer.received, ['hello', '{"text":"one"}', 'two', '["three"]']);
  assert.equal(peer.connections.length, 1);
  await until('they are delivered', async () => (await output('reply')).sent === 3);
  // A connection that is being made again is waited for.
  peer.connections[0]?.terminate();
  await send(['reply', 'four']);
  await until('it has arrived', () => Promise.resolve(peer.received.includes('four')));
  assert.deepEqual(peer.received.slice(4), ['hello', 'four']);
  await until('it is delivered', async () => (await output('reply')).sent === 4);
  await client.call('source.pause', { plugin: sender, source: 'chat' });
  await send(['reply', 'five']);
  await until('it is tried again', async () => (await output('reply')).state === 'retrying');
  assert.deepEqual((await output('reply')).lastError?.message, 'There is no connection to the peer.');
  await client.call('source.resume', { plugin: sender, source: 'chat' });
  await client.call('output.retry', { plugin: sender, output: 'reply' });
  await until('it has arrived', async () => (await output('reply')).sent === 5);
});

test(
  'a command is one message of the topic, with the id as a property, and is delivered once it is acknowledged',
  needsBroker,
  async (t) => {
    const broker = await startBroker(t, { withPassword: true });
    const auth = { username: brokerUser, env: 'BROKER_PASSWORD' };
    const { send, output, client, daemon } = await outputLab(t, {
      outputs: [lamp(broker.url, { auth, retain: true })],
      env: { BROKER_PASSWORD: brokerPassword },
    });
    const listener = await broker.client();
    const got: unknown[] = [];
    listener.on('message', (topic, payload, { properties }) =>
      got.push([topic, payload.toString(), properties?.userProperties?.['idempotency-key']]),
    );
    await listener.subscribeAsync('home/#', { qos: 1 });
    const [first, second, third] = (await send(
      ['lamp', { on: true }],
      ['lamp', 'OFF', { topic: 'kitchen/set' }],
      ['lamp', 1, { topic: '/hall' }],
    )) as string[];
    await until('they have arrived', () => Promise.resolve(got.length === 3));
    assert.deepEqual(got, [
      ['home/lamp', '{"on":true}', first],
      ['home/lamp/kitchen/set', 'OFF', second],
      ['home/lamp/hall', '1', third],
    ]);
    await until('all are delivered', async () => (await output('lamp')).sent === 3);
    const told = JSON.stringify([
      await client.call('output.show', { plugin: sender, output: 'lamp' }),
      await client.call('plugin.show', { plugin: sender }),
      daemon.log(),
    ]);
    assert.ok(!told.includes(brokerPassword));
    // Retained: who listens later gets the newest.
    const later = await broker.client();
    const retained = new Promise((resolve) => later.once('message', (topic) => resolve(topic)));
    await later.subscribeAsync('home/lamp');
    assert.equal(await retained, 'home/lamp');
  },
);

test('a broker that is not there is tried again, and one that refuses is final', needsBroker, async (t) => {
  const broker = await startBroker(t, { acl: ['topic readwrite home/#'] });
  const { send, output, client } = await outputLab(t, {
    outputs: [
      lamp(broker.url, { timeoutMs: 2000 }),
      { name: 'other', type: 'mqtt', url: broker.url, topic: 'forbidden' },
      { name: 'unset', type: 'mqtt', url: broker.url, topic: 'home/x', auth: { env: 'NOBODY_SET_THIS' } },
    ],
  });
  await send(['other', 1], ['lamp', 1, { topic: 'a/#' }], ['unset', 1]);
  await until('the broker has refused', async () => (await output('other')).deadLetters === 1);
  assert.match((await output('other')).lastError?.message ?? '', /may not publish to this topic/);
  await until('the topic is refused', async () => (await output('lamp')).deadLetters === 1);
  assert.equal((await output('lamp')).lastError?.code, 'invalid_request');
  await until('the credential is missing', async () => (await output('unset')).state === 'faulty');
  await broker.stop();
  await send(['lamp', 2]);
  await until('it is tried again', async () => (await output('lamp')).failed >= 2);
  await broker.start();
  await client.call('output.retry', { plugin: sender, output: 'lamp' });
  await until('it is delivered', async () => (await output('lamp')).sent >= 1);
});

test('a topic of a command is below the declared one, and names no other', () => {
  assert.deepEqual(belowTopic('home/lamp', undefined), { ok: true, topic: 'home/lamp' });
  assert.deepEqual(belowTopic('home/lamp/', '/set'), { ok: true, topic: 'home/lamp/set' });
  for (const below of ['+', 'a/#', 'a\0b', 'x'.repeat(3000)]) assert.equal(belowTopic('home', below).ok, false);
});
