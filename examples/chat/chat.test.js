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

test('a line that never ends is read once over, however small its pieces, and given up at its bound', () => {
  const stream = new EventStream();
  const byte = new TextEncoder().encode('x');
  const startedMs = performance.now();
  for (let n = 0; n < 1024 * 1024; n += 1) stream.push(byte);
  assert.ok(performance.now() - startedMs < 20_000, `${performance.now() - startedMs} ms`);
  assert.throws(() => stream.push(byte), /one event of the stream has more than 1048576 characters/);
});

test('what is skipped counts towards the bound, until an event ends', () => {
  const comment = new TextEncoder().encode(`data: x\n:${'-'.repeat(64 * 1024)}\n`);
  const stream = new EventStream();
  for (let n = 0; n < 15; n += 1) assert.deepEqual(stream.push(comment), []);
  assert.deepEqual(stream.push(new TextEncoder().encode('\n')), [Array(15).fill('x').join('\n')]);
  assert.throws(() => {
    for (let n = 0; n < 17; n += 1) stream.push(comment);
  }, /one event of the stream has more than/);
});
