import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { testPlugin } from 'nagaya/sdk';

const mosquitto = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find(existsSync);

test('lights the lamp of a room that is too warm, once, and puts it out again', async (t) => {
  const plugin = await testPlugin(import.meta.dirname);
  t.after(() => plugin.close());
  const reads = (room, payload) => plugin.emit('sensors', { topic: `home/${room}/temperature`, payload, retained: false });
  for (const celsius of [21, 29, 30, 27, 25, 25]) await reads('kitchen', celsius);
  await reads('bath', 35);
  await assert.rejects(reads('bath', 'hot'), { code: 'payload_invalid' });
  const sent = await plugin.sent('lamp');
  assert.deepEqual(
    sent.map(({ body, topic }) => [topic, body]),
    [
      ['kitchen/set', 'ON'],
      ['kitchen/set', 'OFF'],
      ['bath/set', 'ON'],
    ],
  );
});

test('goes from the sensor to the lamp through a broker', { skip: mosquitto === undefined && 'needs mosquitto' }, async (t) => {
  const { connectAsync } = await import('mqtt');
  const port = await freePort();
  const broker = spawn(mosquitto, ['-p', String(port)], { stdio: 'ignore' });
  t.after(() => broker.kill('SIGKILL'));
  while (!(await answers(port))) await delay(20, undefined, { signal: t.signal });
  const url = `mqtt://127.0.0.1:${port}`;
  const home = await connectAsync(url);
  t.after(() => home.end(true));
  const heard = [];
  home.on('message', (topic, payload) => heard.push([topic, payload.toString()]));
  await home.subscribeAsync('home/lamps/#', { qos: 1 });
  const plugin = await testPlugin(import.meta.dirname, {
    outputs: 'delivered',
    overrides: { sources: { sensors: { url } }, outputs: { lamp: { url } } },
  });
  t.after(() => plugin.close());
  const isOpen = async () => (await plugin.status()).sources[0].state === 'open';
  while (!(await isOpen())) await delay(20, undefined, { signal: t.signal });
  for (const celsius of ['30', '31', '20']) await home.publishAsync('home/kitchen/temperature', celsius, { qos: 1 });
  while (heard.length < 2) await delay(20, undefined, { signal: t.signal });
  assert.deepEqual(heard, [
    ['home/lamps/kitchen/set', 'ON'],
    ['home/lamps/kitchen/set', 'OFF'],
  ]);
});

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket.destroy() && true));
    socket.once('error', () => resolve(false));
  });
