import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { testPlugin } from 'nagaya/sdk';
import { startRoom } from './chat-room.js';

let plugin;
before(async () => {
  plugin = await testPlugin(import.meta.dirname);
});
after(() => plugin.close());

const push = {
  ref: 'refs/heads/main',
  repository: { full_name: 'ada/engine' },
  pusher: { name: 'ada' },
  commits: [{ id: '1' }, { id: '2' }],
};

test('makes a line of a push', async () => {
  const { output } = await plugin.emit('github', push);
  assert.deepEqual(output, { line: 'ada pushed 2 commits to main of ada/engine' });
  assert.deepEqual((await plugin.status()).reported.value.lines, [output.line]);
});

test('sends the line to the chat, and each repository keeps its order', async () => {
  const sent = await plugin.sent('chat');
  assert.deepEqual(
    sent.map(({ body, key }) => [body, key]),
    [[{ text: 'ada pushed 2 commits to main of ada/engine' }, 'ada/engine']],
  );
});

test('a chat that is down is told once it is back', async (t) => {
  const heard = [];
  let refusals = 0;
  const room = await startRoom({ port: 0, token: 'a-token', said: (text) => heard.push(text), broken: () => refusals++ < 1 });
  t.after(() => room.close());
  const live = await testPlugin(import.meta.dirname, {
    outputs: 'delivered',
    env: { CHAT_ROOM_TOKEN: 'a-token' },
    overrides: { outputs: { chat: { url: `http://127.0.0.1:${room.address().port}/messages` } } },
  });
  t.after(() => live.close());
  await live.emit('github', push);
  while (heard.length === 0) await delay(20, undefined, { signal: t.signal });
  assert.deepEqual(heard, ['ada pushed 2 commits to main of ada/engine']);
  assert.equal(refusals, 2);
});

test('a payload that is no push never reaches the handler', async () => {
  await assert.rejects(plugin.emit('github', { zen: 'Keep it logically awesome.' }), { code: 'payload_invalid' });
});
