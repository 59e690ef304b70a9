// The chat sample before servers that do it harm: whatever they send, the input fails in bounded time with a reason,
// the request is let go of, and the same cell takes the next input.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { delta, event } from '../labs/chat-server.ts';
import { examplesFolder } from '../labs/cli-process.ts';
import { type LabWorker, profileLab } from '../labs/profile-lab.ts';
import { failed } from '../labs/profile-cases.ts';
import { until } from '../labs/until.ts';

const key = 'sk-test-0123456789abcdef';

interface HostileServer {
  readonly endpoint: string;
  /** Connections that are still open. */
  readonly open: () => number;
  /** The head of each request. */
  readonly asked: readonly string[];
}

type Harm = (socket: Socket) => void;

/** It does its harm to the first request, and answers the others as it should. */
async function hostileServer(t: TestContext, harm: Harm): Promise<HostileServer> {
  const sockets = new Set<Socket>();
  const asked: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    let head = '';
    socket.on('error', () => {}); // the client lets go in the middle
    socket.on('close', () => sockets.delete(socket));
    socket.setEncoding('latin1').on('data', (text: string) => {
      if (head.includes('\r\n\r\n')) return;
      head += text;
      if (!head.includes('\r\n\r\n')) return;
      asked.push(head);
      if (asked.length === 1) harm(socket);
      else socket.end(`${streamHead}${event(delta('well', 'stop'))}${event('[DONE]')}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    endpoint: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/v1`,
    open: () => sockets.size,
    asked,
  };
}

const head = (type: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${more}connection: close\r\n\r\n`;
const streamHead = head('text/event-stream');
const jsonHead = head('application/json');

/** The same again and again, as fast as it is read, for as long as somebody reads. */
function forEver(first: string, again: string | Buffer): Harm {
  return (socket) => {
    const go = (): void => {
      while (!socket.destroyed && socket.write(again));
    };
    socket.write(first);
    socket.on('drain', () => setImmediate(go));
    go();
  };
}

const bytes =
  (text: string | Buffer): Harm =>
  (socket) =>
    void socket.end(text);
const long = (unit: string): string => unit.repeat(Math.ceil((64 * 1024) / unit.length));
const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 'data: '));

async function worker(
  t: TestContext,
  server: HostileServer,
  config: object = {},
  override: object = {},
): Promise<LabWorker> {
  const lab = await profileLab(t, {
    folders: [join(examplesFolder, 'chat')],
    overrides: { 'example.chat': { config: { endpoint: server.endpoint, model: 'small', ...config }, ...override } },
    limits: { workerCancelMs: 20_000 },
    env: { CHAT_API_KEY: key },
  });
  return lab.worker('example.chat');
}

const harms: readonly (readonly [what: string, harm: Harm, reason: RegExp])[] = [
  [
    'streams without an end',
    forEver(streamHead, event(delta('x'.repeat(1000)))),
    /the answer is not complete: ctx\.say: at most 262144 bytes/,
  ],
  [
    'sends a line without an end',
    forEver(streamHead, long('x')),
    /no answer: one event of the stream has more than 1048576 characters/,
  ],
  [
    'sends an event of lines without an end',
    forEver(streamHead, long('data: y\n')),
    /no answer: one event of the stream has more than/,
  ],
  [
    'sends comments without an end',
    forEver(streamHead, long(': still here\n')),
    /no answer: one event of the stream has more than/,
  ],
  ['sends one body without an end', forEver(jsonHead, long('[')), /no answer: its answer has more than 4194304 bytes/],
  ['complains without an end', forEver('HTTP/1.1 500 Oops\r\n\r\n', long('oh no ')), /no answer: it answered 500$/],
  [
    'sends heads without an end',
    forEver('HTTP/1.1 200 OK\r\n', long('x-more: and more\r\n')),
    /no answer: UND_ERR_HEADERS_OVERFLOW$/,
  ],
  [
    'promises without an end',
    forEver('', 'HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n'),
    /no answer: an answer did not come within 1500 ms$/,
  ],
  ['speaks another protocol', bytes(randomBytes(4096)), /no answer: ((HPE|UND_ERR)_|Response does not match the HTTP)/],
  [
    'sends garbage as a stream',
    bytes(Buffer.concat([Buffer.from(streamHead), randomBytes(64 * 1024)])),
    /no answer: its answer broke off/,
  ],
  ['sends garbage as JSON', bytes(`${jsonHead}{"choices":`), /no answer: it sent what is not JSON: \{"choices":$/],
  [
    'nests as deep as it may',
    bytes(`${jsonHead}${'['.repeat(1_000_000)}`),
    /no answer: it sent what is not JSON: \[{300}…$/,
  ],
  [
    'sends other shapes than it should',
    bytes(
      `${streamHead}${event('null')}${event('{"choices":"?"}')}${event('{"choices":[{"delta":{"content":{"a":1}}}]}')}`,
    ),
    /no answer: its answer broke off/,
  ],
  [
    'packs much into little',
    bytes(
      Buffer.concat([
        Buffer.from(head('text/event-stream', `content-encoding: gzip\r\ncontent-length: ${String(bomb.length)}\r\n`)),
        bomb,
      ]),
    ),
    /no answer: one event of the stream has more than/,
  ],
  [
    'packs what is not packed',
    bytes(`${head('application/json', 'content-encoding: gzip\r\n')}{}`),
    /no answer: (the next part of the answer did not come within 1500 ms|Z_DATA_ERROR)$/,
  ],
  [
    'closes halfway through what it announced',
    bytes(`${head('text/event-stream', 'content-length: 5000\r\n')}${event(delta('half'))}`),
    /the answer is not complete: UND_ERR_(SOCKET|RES_CONTENT_LENGTH_MISMATCH)$/,
  ],
  ['closes without a word', (socket) => void socket.destroy(), /no answer: (UND_ERR_SOCKET|ECONNRESET)$/],
  ['takes the request and says nothing', () => {}, /no answer: an answer did not come within 1500 ms$/],
  [
    'falls silent in the middle of a line',
    (socket) => void socket.write(`${streamHead}${event(delta('half'))}data: {"cho`),
    /the answer is not complete: the next part of the answer did not come within 1500 ms$/,
  ],
];

for (const [what, harm, reason] of harms) {
  test(`a server that ${what} fails the input alone`, async (t) => {
    const server = await hostileServer(t, harm);
    const { run, program } = await worker(t, server, { connectMs: 1500, idleMs: 1500 });
    const error = failed(await run('Go'), 'dispatch_failed');
    assert.match(error.message, reason);
    assert.ok(error.message.length < 1000, 'the reason is short');
    await until('the request is let go of', () => server.open() === 0);
    assert.equal((await run('Go on')).text, 'well');
    assert.equal(program.view().incarnation, 1);
  });
}

test('a server that sends elsewhere is not followed, and nobody else is told the key', async (t) => {
  const other = await hostileServer(t, () => {});
  for (const status of [301, 302, 303, 307, 308]) {
    const server = await hostileServer(
      t,
      bytes(
        `HTTP/1.1 ${String(status)} Elsewhere\r\nlocation: ${other.endpoint}/chat/completions\r\ncontent-length: 0\r\n\r\n`,
      ),
    );
    const { run } = await worker(t, server);
    assert.match(failed(await run('Go'), 'dispatch_failed').message, /no answer: unexpected redirect$/);
  }
  assert.deepEqual(other.asked, []);
});

test('an answer that only ever promises more ends at the deadline, or when it is cancelled before', async (t) => {
  const server = await hostileServer(t, forEver(streamHead, `${long(': still here\n')}\n`));
  const one = await worker(t, server);
  const running = one.begin('Go');
  await until('it is asked', () => server.asked.length === 1);
  one.program.cancel();
  assert.deepEqual(await running.ended, { kind: 'cancelled' });
  await until('the request is let go of', () => server.open() === 0);
  assert.equal((await one.run('Go on')).text, 'well');
  assert.equal(one.program.view().incarnation, 1);

  const late = await hostileServer(t, forEver(streamHead, `${long(': still here\n')}\n`));
  const { run } = await worker(t, late, {}, { profiles: { chat: { timeoutMs: 1500 } } });
  failed(await run('Go'), 'dispatch_timeout');
  await until('the request is let go of', () => late.open() === 0);
  assert.equal((await run('Go on')).text, 'well');
});
