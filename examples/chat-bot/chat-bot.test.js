import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { testPlugin } from 'nagaya/sdk';
import { startChat } from './server.js';

test('answers a command, and nothing else', async (t) => {
  const plugin = await testPlugin(import.meta.dirname);
  t.after(() => plugin.close());
  const said = (text) => plugin.emit('chat', { op: 'message', seq: 1, id: 'm-1', from: 'ada', text }, { kind: 'message' });
  assert.deepEqual((await said('!echo hello there')).output, { answered: true });
  assert.deepEqual((await said('hello there')).output, { answered: false });
  assert.deepEqual((await said('!constructor')).output, { answered: false });
  const sent = await plugin.sent('say');
  assert.deepEqual(sent.map(({ body }) => body), [{ op: 'say', text: '@ada hello there' }]);
});

test('keeps one connection, resumes after it was cut, and answers each message once', async (t) => {
  const heard = [];
  const chat = await startChat({ port: 0, token: 'a-token', said: (text) => heard.push(text) });
  t.after(() => chat.close());
  const until = async (isSo) => {
    while (!isSo()) await delay(20, undefined, { signal: t.signal });
  };
  const plugin = await testPlugin(import.meta.dirname, {
    outputs: 'delivered',
    env: { BOT_TOKEN: 'a-token' },
    overrides: {
      sources: {
        chat: {
          url: chat.url,
          heartbeat: { everyMs: 100, expectMs: 5000, message: { op: 'ping' } },
          reconnect: { backoffMs: [50, 200] },
        },
      },
    },
  });
  t.after(() => plugin.close());
  await until(() => chat.bots === 1);
  chat.say('ada', '!echo one');
  await until(() => heard.length === 1);
  chat.drop();
  chat.say('ada', '!echo two');
  chat.say('ben', '!echo three');
  await until(() => heard.length === 3);
  assert.deepEqual(heard, ['@ada one', '@ada two', '@ben three']);
  assert.equal((await plugin.state()).answered, 3);
});
