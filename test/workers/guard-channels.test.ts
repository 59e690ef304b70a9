// Threads of one plugin meet under a name; those of two plugins do not, though they are in one process.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellLab } from '../labs/cell-lab.ts';

const listen =
  'globalThis.heard = []; globalThis.channel = new BroadcastChannel(payload.name); channel.onmessage = ({ data }) => heard.push(data); channel.unref(); return [channel.name, channel instanceof BroadcastChannel, channel.constructor === BroadcastChannel]';
const say =
  'const { BroadcastChannel } = await import("node:worker_threads"); const channel = new BroadcastChannel(payload.name); channel.postMessage(payload.text); await new Promise((resolve) => setTimeout(resolve, 50)); channel.close()';
const until =
  'const endMs = Date.now() + 5000; while (heard.length < payload.count && Date.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 5)); return heard';

test('a BroadcastChannel is private to its plugin, and keeps the name that the plugin gave it', async (t) => {
  const listener = await cellLab(t, { pluginId: 'one' });
  const sibling = await cellLab(t, { pluginId: 'one' });
  const stranger = await cellLab(t, { pluginId: 'two' });
  assert.deepEqual(await listener.run(listen, { name: 'news' }), ['news', true, true]);
  await stranger.run(say, { name: 'news', text: 'from a stranger' });
  await stranger.run(say, { name: 'one:news', text: 'from a stranger who guessed' });
  await sibling.run(say, { name: 'news', text: 'from a sibling' });
  const host = new BroadcastChannel('news');
  host.postMessage('from the daemon');
  host.close();
  await sibling.run(say, { name: 'news', text: 'the last' });
  assert.deepEqual(await listener.run(until, { count: 2 }), ['from a sibling', 'the last']);
});

test('a thread that the plugin starts itself meets the others of its plugin', async (t) => {
  const lab = await cellLab(t, { pluginId: 'one', spec: { grants: { worker: true, addons: false } } });
  await lab.run(listen, { name: 'news' });
  await lab.run(
    `const { Worker } = await import('node:worker_threads'); new Worker("const channel = new BroadcastChannel('news'); channel.postMessage('from below'); setTimeout(() => channel.close(), 100)", { eval: true })`,
  );
  assert.deepEqual(await lab.run(until, { count: 1 }), ['from below']);
});
