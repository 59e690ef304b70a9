import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { EventStream } from './event-stream.js';
import { profiles } from './index.js';

let server;
let config;
let answer;
before(async () => {
  server = createServer((request, response) => {
    request.resume().on('end', () => answer(response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  config = { endpoint: `http://127.0.0.1:${server.address().port}/v1`, model: 'small' };
});
after(() => {
  server.closeAllConnections();
  server.close();
});

/** A profile needs no daemon to be tried: a context is a plain object. */
async function run(content) {
  const said = [];
  const ctx = { config, log: { warn() {} }, signal: new AbortController().signal, say: (text) => said.push(text), history: () => [] };
  await profiles.chat.onInput({ kind: 'user', content }, ctx);
  return said;
}

const part = (content) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;

test('says each part of the answer', async () => {
  answer = (response) => response.end(`${part('Hel')}${part('lo')}data: [DONE]\n\n`);
  assert.deepEqual(await run('Hi'), ['Hel', 'lo']);
});

test('an answer that breaks off is an error, though what came was said', async () => {
  answer = (response) => response.end(part('Hel'));
  await assert.rejects(run('Hi'), /the answer is not complete: its answer broke off/);
});

test('events are found however the bytes are split', () => {
  const bytes = new TextEncoder().encode(': hello\r\ndata: grüß\r\ndata: dich\r\n\r\ndata:😀\r\rdata: last');
  for (let size = 1; size <= bytes.length; size += 1) {
    const stream = new EventStream();
    const events = [];
    for (let at = 0; at < bytes.length; at += size) events.push(...stream.push(bytes.subarray(at, at + size)));
    events.push(...stream.end());
    assert.deepEqual(events, ['grüß\ndich', '😀', 'last']);
  }
});
