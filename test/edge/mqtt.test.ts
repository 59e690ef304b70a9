// Sources of type mqtt as a real broker and an operator meet them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { PacketGuard } from '../../workers/edge/mqtt-packet-guard.ts';
import { brokerPassword, brokerUser, needsBroker, startBroker } from '../labs/broker-lab.ts';
import { type WebhookLab, pluginId, webhookLab } from '../labs/webhook-lab.ts';
import { untilAnswer } from '../labs/until.ts';

const service = `
const handled = [];
export const service = {
  start() {},
  async handleIngress(event) {
    const { payload } = event.payload;
    if (payload?.waitMs) await new Promise((resolve) => setTimeout(resolve, payload.waitMs));
    handled.push(event);
  },
  status: () => ({ handled: handled.length, payloads: handled.slice(-50).map(({ payload }) => payload), env: process.env }),
};
`;

const sensors = (url: string, more: object = {}): object => ({
  name: 'sensors',
  type: 'mqtt',
  ingress: 'pushes',
  kind: 'push',
  url,
  topics: ['home/+/temperature'],
  reconnect: { backoffMs: [10, 50] },
  ...more,
});

const mqttLab = (t: TestContext, url: string, more: object = {}, options: object = {}): Promise<WebhookLab> =>
  webhookLab(t, { code: service, sources: [sensors(url, more)], ...options });

async function payloads(lab: WebhookLab): Promise<unknown[]> {
  const { reported } = await lab.client.call('service.status', { plugin: pluginId, wait: true });
  return (reported?.value as { payloads: unknown[] }).payloads;
}

const opened = (lab: WebhookLab): Promise<unknown> =>
  untilAnswer(
    'the answer fits',
    () => lab.source('sensors'),
    ({ state }) => state === 'open',
  );

for (const version of ['5', '3.1.1'] as const) {
  test(
    `version ${version}: messages become events, and the password goes to the broker alone`,
    needsBroker,
    async (t) => {
      const broker = await startBroker(t, { withPassword: true });
      const auth = { username: brokerUser, env: 'BROKER_PASSWORD' };
      const lab = await mqttLab(t, broker.url, { auth, version }, { env: { BROKER_PASSWORD: brokerPassword } });
      await opened(lab);
      const client = await broker.client();
      await client.publishAsync('home/kitchen/temperature', '{"celsius":21.5}', { qos: 1, retain: true });
      await client.publishAsync('home/bath/temperature', 'warm', { qos: 0 });
      await client.publishAsync('home/cellar/temperature', Buffer.from([0xff, 0xfe]), { qos: 1 });
      await client.publishAsync('home/cellar/humidity', '50', { qos: 1 });
      await untilAnswer('the answer fits', lab.handled, (count) => count === 3);
      assert.deepEqual(await payloads(lab), [
        { topic: 'home/kitchen/temperature', payload: { celsius: 21.5 }, retained: false },
        { topic: 'home/bath/temperature', payload: 'warm', retained: false },
        { topic: 'home/cellar/temperature', payload: { base64: '//4=' }, retained: false },
      ]);
      const { counters, lastError } = await lab.source('sensors');
      assert.deepEqual(counters, { received: 3, accepted: 3, duplicates: 0, refused: 0, ignored: 0, reconnects: 0 });
      assert.equal(lastError, null);
      const told = JSON.stringify([
        await lab.client.call('service.status', { plugin: pluginId, wait: true }),
        await lab.client.call('plugin.show', { plugin: pluginId }),
        lab.daemon.log(),
      ]);
      assert.ok(!told.includes(brokerPassword));
    },
  );
}

test(
  'what comes while the daemon or the service is away is held by the broker, and comes once',
  needsBroker,
  async (t) => {
    const broker = await startBroker(t);
    const lab = await mqttLab(t, broker.url);
    await opened(lab);
    const client = await broker.client();
    await lab.client.call('service.stop', { plugin: pluginId });
    await untilAnswer(
      'the answer fits',
      () => lab.source('sensors'),
      ({ state }) => state === 'paused',
    );
    for (const n of [1, 2, 3]) await client.publishAsync('home/hall/temperature', String(n), { qos: 1 });
    await lab.client.call('service.start', { plugin: pluginId });
    await untilAnswer('the answer fits', lab.handled, (count) => count === 3);
    await lab.client.call('source.pause', { plugin: pluginId, source: 'sensors' });
    await client.publishAsync('home/hall/temperature', '4', { qos: 1 });
    await lab.client.call('source.resume', { plugin: pluginId, source: 'sensors' });
    await untilAnswer('the answer fits', lab.handled, (count) => count === 4);
    assert.deepEqual(
      (await payloads(lab)).map((one) => (one as { payload: number }).payload),
      [1, 2, 3, 4],
    );
  },
);

test('a full queue leaves messages with the broker, and all are handled in order', needsBroker, async (t) => {
  const broker = await startBroker(t);
  const lab = await mqttLab(
    t,
    broker.url,
    { heartbeat: { everyMs: 500, expectMs: 1500 } },
    { service: { queue: { capacity: 2, durability: 'memory' } } },
  );
  await opened(lab);
  const client = await broker.client();
  await client.publishAsync('home/a/temperature', '{"waitMs":3000}', { qos: 1 });
  for (let n = 0; n < 40; n += 1) await client.publishAsync('home/a/temperature', String(n), { qos: 1 });
  await untilAnswer('the answer fits', lab.handled, (count) => count === 41);
  const numbers = (await payloads(lab)).slice(1).map((one) => (one as { payload: number }).payload);
  assert.deepEqual(
    numbers,
    Array.from({ length: 40 }, (_, n) => n),
  );
  // It was not taken for dead while nothing was read.
  assert.equal((await lab.source('sensors')).counters.reconnects, 0);
});

test(
  'a reload with other topics ends those of before, and one without a change keeps the connection',
  needsBroker,
  async (t) => {
    const broker = await startBroker(t);
    const lab = await mqttLab(t, broker.url);
    await opened(lab);
    const client = await broker.client();
    const { writeHooks } = await import('../labs/webhook-lab.ts');
    const connections = (): number => broker.log().match(/New client connected/g)?.length ?? 0;
    const before = connections();
    await lab.client.call('plugin.reload', { plugin: pluginId });
    await client.publishAsync('home/a/temperature', '1', { qos: 1 });
    await untilAnswer('the answer fits', lab.handled, (count) => count === 1);
    assert.equal(connections(), before);
    writeHooks(lab.folder, { code: service, sources: [sensors(broker.url, { topics: ['home/+/humidity'] })] });
    await lab.client.call('plugin.reload', { plugin: pluginId });
    await untilAnswer(
      'the answer fits',
      () => broker.log(),
      (log) => log.includes('home/+/humidity'),
    );
    await opened(lab);
    await client.publishAsync('home/a/temperature', '2', { qos: 1 });
    await client.publishAsync('home/a/humidity', '3', { qos: 1 });
    await untilAnswer('the answer fits', lab.handled, (count) => count >= 1);
    await client.publishAsync('home/a/humidity', '4', { qos: 1 });
    await untilAnswer(
      'the answer fits',
      () => payloads(lab),
      (all) => all.length === 2,
    );
    assert.deepEqual(
      (await payloads(lab)).map((one) => (one as { topic: string }).topic),
      ['home/a/humidity', 'home/a/humidity'],
    );
  },
);

test('a broker that dies is found again, and one that only stops answering counts as dead', needsBroker, async (t) => {
  const broker = await startBroker(t);
  const lab = await mqttLab(t, broker.url, { heartbeat: { everyMs: 200, expectMs: 400 } });
  await opened(lab);
  await broker.stop();
  await untilAnswer(
    'the answer fits',
    () => lab.source('sensors'),
    ({ state, counters }) => state !== 'open' && counters.reconnects > 1,
  );
  await broker.start();
  await opened(lab);
  broker.freeze();
  const silent = await untilAnswer(
    'the answer fits',
    () => lab.source('sensors'),
    ({ lastError }) => lastError?.code === 'connection_silent',
  );
  assert.match(silent.lastError?.message ?? '', /silent for 400 ms/);
  broker.thaw();
  await opened(lab);
  const client = await broker.client();
  await client.publishAsync('home/a/temperature', '1', { qos: 1 });
  await untilAnswer('the answer fits', lab.handled, (count) => count >= 1);
});

test(
  'a wrong password is a fault until it is corrected, and a missing one names its variable',
  needsBroker,
  async (t) => {
    const broker = await startBroker(t, { withPassword: true });
    const auth = { username: brokerUser, env: 'BROKER_PASSWORD' };
    const lab = await webhookLab(t, {
      code: service,
      sources: [
        sensors(broker.url, { auth }),
        sensors(broker.url, { name: 'unset', auth: { env: 'NOBODY_SET_THIS' } }),
      ],
      env: { BROKER_PASSWORD: 'wrong' },
    });
    const faulty = await untilAnswer(
      'the answer fits',
      () => lab.source('sensors'),
      ({ state }) => state === 'faulty',
    );
    assert.match(faulty.lastError?.message ?? '', /refused the connection: the user/);
    const unset = await untilAnswer(
      'the answer fits',
      () => lab.source('unset'),
      ({ state }) => state === 'faulty',
    );
    assert.match(unset.lastError?.message ?? '', /NOBODY_SET_THIS is not set/);
  },
);

test('a message that is too large or too deep is refused once and does not come again', needsBroker, async (t) => {
  const broker = await startBroker(t);
  const lab = await mqttLab(t, broker.url, {}, { config: { limits: { eventBytes: 2048 } } });
  await opened(lab);
  const client = await broker.client();
  await client.publishAsync('home/a/temperature', 'x'.repeat(10_000), { qos: 1 });
  await client.publishAsync('home/a/temperature', `${'['.repeat(900)}${']'.repeat(900)}`, { qos: 1 });
  await client.publishAsync('home/a/temperature', '1', { qos: 1 });
  await untilAnswer('the answer fits', lab.handled, (count) => count === 1);
  const { counters, lastError } = await lab.source('sensors');
  assert.equal(counters.refused, 2);
  assert.equal(lastError?.code, 'invalid_event');
});

test('brokers that send anything, nothing or a packet without end harm nobody', async (t) => {
  const sockets: Socket[] = [];
  const answers = [
    Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1]),
    Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0x20, 0x02, 0x00, 0x00]),
    Buffer.alloc(0),
  ];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    const answer = answers[sockets.length % answers.length] ?? Buffer.alloc(0);
    socket.once('data', () => (answer.length === 0 ? socket.destroy() : socket.write(answer)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const url = `mqtt://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const lab = await mqttLab(t, url, {
    connectMs: 500,
    heartbeat: { everyMs: 100, expectMs: 200 },
    reconnect: { backoffMs: [10, 20] },
  });
  const { state } = await untilAnswer(
    'the answer fits',
    () => lab.source('sensors'),
    ({ counters }) => counters.reconnects >= 10,
  );
  assert.notEqual(state, 'open');
  assert.doesNotMatch(lab.daemon.log(), /is gone and is started again/);
});

test('the guard measures packets whatever pieces they come in', () => {
  const packet = (bytes: number): Buffer => {
    const length: number[] = [];
    for (let left = bytes; ; left = Math.floor(left / 128)) {
      length.push((left % 128) + (left >= 128 ? 128 : 0));
      if (left < 128) break;
    }
    return Buffer.concat([Buffer.from([0x30, ...length]), Buffer.alloc(bytes, 0xff)]);
  };
  const stream = Buffer.concat([packet(0), packet(127), packet(128), packet(1000), packet(0), packet(300)]);
  for (const size of [1, 2, 3, 7, 100, 5000]) {
    const guard = new PacketGuard(1000);
    for (let at = 0; at < stream.length; at += size) assert.ok(guard.admits(stream.subarray(at, at + size)));
    assert.equal(guard.admits(packet(1001)), false);
  }
  assert.equal(new PacketGuard(1000).admits(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80])), false);
});
