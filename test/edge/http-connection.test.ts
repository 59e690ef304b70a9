// HTTP/1.1 as the port for webhooks speaks it: order, bounds and times of one connection, under senders of every kind.
import assert from 'node:assert/strict';
import { type Socket, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { WebhookListenerBounds } from '../../protocol/edge/messages.ts';
import { type WebhookAnswer, jsonAnswer } from '../../workers/edge/problem.ts';
import type { WebhookRequest } from '../../workers/edge/webhook-content.ts';
import { WebhookListener } from '../../workers/edge/webhook-listener.ts';

const bounds: WebhookListenerBounds = {
  connections: 100,
  headerBytes: 16 * 1024,
  bodyBytes: 64 * 1024,
  bodiesBytes: 128 * 1024,
  pending: 64,
  requestMs: 60_000,
  idleMs: 60_000,
};

type Handle = (request: WebhookRequest) => WebhookAnswer | Promise<WebhookAnswer>;
const echo: Handle = ({ body }) => jsonAnswer(202, body.toString('latin1'));

async function listening(t: TestContext, handle: Handle = echo, own: Partial<WebhookListenerBounds> = {}) {
  return await new Promise<number>((resolve, reject) => {
    const listener = new WebhookListener(true, { listening: (_host, port) => resolve(port), unlistenable: reject });
    listener.add('a/b', { handle, show: () => undefined });
    listener.listen({ host: '127.0.0.1', port: 0, bounds: { ...bounds, ...own } });
    t.after(() => listener.close());
  });
}

interface Sender {
  readonly socket: Socket;
  received(): string;
  readonly closed: Promise<void>;
  /** Resolves when this has come. */
  until(text: string): Promise<void>;
}

function dial(t: TestContext, port: number): Sender {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const until = async (wanted: string): Promise<void> => {
    while (!text.includes(wanted)) {
      assert.ok(!socket.destroyed, `closed before ${wanted} came: ${text}`);
      await Promise.race([closed, new Promise((resolve) => socket.once('data', resolve))]);
    }
  };
  return { socket, received: () => text, closed, until };
}

const post = (body: string, more = ''): string =>
  `POST /hooks/a/b HTTP/1.1\r\nhost: x\r\n${more}content-length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`;
const statuses = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status = '']) => status);
const bodiesIn = (text: string): string[] =>
  [...text.matchAll(/\r\n\r\n([^\r]*?)(?=HTTP|$)/g)].map(([, body = '']) => body);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a burst of requests is answered in its order, and no more than sixteen wait at once', async (t) => {
  const waiting: (() => void)[] = [];
  let most = 0;
  const port = await listening(t, ({ body }) => {
    const text = body.toString();
    return new Promise((resolve) => {
      waiting.push(() => resolve(jsonAnswer(202, text)));
      most = Math.max(most, waiting.length);
    });
  });
  const sender = dial(t, port);
  const count = 100;
  sender.socket.write(Array.from({ length: count }, (_, nth) => post(`"${String(nth)}"`)).join(''));
  for (let answered = 0; answered < count;) {
    await turn();
    // The newest first.
    for (const answer of waiting.splice(0).reverse()) {
      answer();
      answered += 1;
    }
  }
  await sender.until(`"${String(count - 1)}"`);
  assert.deepEqual(
    bodiesIn(sender.received()),
    Array.from({ length: count }, (_, nth) => `"${String(nth)}"`),
  );
  assert.equal(most, 16);
});

test('a sender that takes no answers is not read on, and is cut off at requestMs', async (t) => {
  let handled = 0;
  const answer = jsonAnswer(202, JSON.stringify('x'.repeat(256 * 1024)));
  const port = await listening(
    t,
    () => {
      handled += 1;
      return answer;
    },
    { requestMs: 400 },
  );
  const sender = dial(t, port);
  sender.socket.pause();
  const requests = post('{}').repeat(1000);
  sender.socket.write(requests);
  // It is paused, so that it learns of its end from what it sends.
  const more = setInterval(() => sender.socket.write(requests), 50);
  t.after(() => clearInterval(more));
  await sender.closed;
  assert.ok(handled < 200, `${String(handled)} requests were handled whose answers nobody takes`);
});

test('who has closed its side gets the answers to what it has sent, and then the connection ends', async (t) => {
  const port = await listening(t, async ({ body }) => {
    await turn();
    return jsonAnswer(202, body.toString());
  });
  const sender = dial(t, port);
  sender.socket.end(post('"one"') + post('"two"'));
  await sender.closed;
  assert.deepEqual(bodiesIn(sender.received()), ['"one"', '"two"']);
  const half = dial(t, port);
  half.socket.end(post('"whole"').slice(0, -1));
  await half.closed;
  assert.deepEqual(statuses(half.received()), ['400']);
});

test('bodies of senders that have gone, were refused or were answered take no room from others', async (t) => {
  const port = await listening(t);
  const large = JSON.stringify('x'.repeat(60_000));
  for (let nth = 0; nth < 4; nth += 1) {
    const gone = dial(t, port);
    gone.socket.write(post(large).slice(0, -10));
    if (nth % 2 === 0) gone.socket.end(() => gone.socket.resetAndDestroy());
    else gone.socket.end('POST / HTTP/9\0');
    await gone.closed;
    const chunks = dial(t, port);
    chunks.socket.write(
      `POST /hooks/a/b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${`8000\r\n${'x'.repeat(0x8000)}\r\n`.repeat(3)}`,
    );
    await chunks.closed;
    assert.deepEqual(statuses(chunks.received()), ['413']);
  }
  const sender = dial(t, port);
  for (let nth = 0; nth < 5; nth += 1) sender.socket.write(post(large));
  sender.socket.write(post('"last"'));
  await sender.until('"last"');
  assert.deepEqual(new Set(statuses(sender.received())), new Set(['202']));
});

const chunkedHead = 'POST /hooks/a/b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n';
const endless: readonly [what: string, head: string, piece: string, status: string][] = [
  ['an extension of a chunk', `${chunkedHead}1;`, 'x'.repeat(1000), '400'],
  ['extensions of many chunks', chunkedHead, `1;${'x'.repeat(1000)}\r\na\r\n`, '400'],
  ['a header behind the body', `${chunkedHead}0\r\nx-trailer: `, 'x'.repeat(1000), '431'],
  ['headers behind the body', `${chunkedHead}0\r\n`, 'x-trailer: 1\r\n', '431'],
  ['a header', 'POST /hooks/a/b HTTP/1.1\r\nhost: x\r\nx-long: ', 'x'.repeat(1000), '431'],
  ['the name of a header', 'POST /hooks/a/b HTTP/1.1\r\n', 'x'.repeat(1000), '431'],
  ['headers', 'POST /hooks/a/b HTTP/1.1\r\nhost: x\r\n', 'a: \r\n', '431'],
  ['a path', 'POST /', 'x'.repeat(1000), '431'],
  ['a method', '', 'POST', '400'],
  ['a number of bytes', 'POST /hooks/a/b HTTP/1.1\r\ncontent-length: ', '1'.repeat(1000), '400'],
];
test('whatever has no end is refused at its bound', async (t) => {
  const port = await listening(t, echo, { bodyBytes: 1024 * 1024, bodiesBytes: 16 * 1024 * 1024 });
  const refused = async ([what, head, piece, status]: (typeof endless)[number]): Promise<void> => {
    const sender = dial(t, port);
    sender.socket.write(head);
    let sent = 0;
    const more = (): void => {
      while (sender.socket.writable && sent < 4_000_000) {
        sent += piece.length;
        if (!sender.socket.write(piece)) break;
      }
    };
    sender.socket.on('drain', more);
    more();
    await sender.closed;
    assert.deepEqual(statuses(sender.received()), [status], what);
  };
  await Promise.all(endless.map(refused));
});

const single: readonly [what: string, bytes: string, wanted: readonly string[]][] = [
  ['two hosts', 'POST /hooks/a/b HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n', ['400']],
  ['no host', 'POST /hooks/a/b HTTP/1.1\r\n\r\n', ['400']],
  ['no host in HTTP/1.0', 'POST /hooks/a/b HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}', ['202']],
  ['the last request of a connection', `${post('{}', 'connection: close\r\n')}${post('{}')}`, ['202']],
  ['an expectation that is not known', post('{}', 'expect: the-best\r\n'), ['417']],
  ['another method with a body', 'PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nabcde', ['405']],
  ['another protocol', 'POST / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n', []],
  ['a tunnel', 'CONNECT a.example:80 HTTP/1.1\r\nhost: x\r\n\r\n', []],
  ['a body that is too large', post('x'.repeat(70_000), 'expect: 100-continue\r\n'), ['413']],
];
test('what ends a connection is answered once, and nothing behind it is read', async (t) => {
  let handled = 0;
  const port = await listening(t, (request) => {
    handled += 1;
    return echo(request);
  });
  const answered = async ([what, bytes, wanted]: (typeof single)[number]): Promise<void> => {
    const sender = dial(t, port);
    sender.socket.write(`${bytes}${bytes}`);
    await sender.closed;
    assert.deepEqual(statuses(sender.received()), wanted, what);
  };
  await Promise.all(single.map(answered));
  assert.equal(handled, single.filter(([, , wanted]) => wanted.includes('202')).length);
});

test('methods without a body are told how webhooks are sent, and their connection goes on', async (t) => {
  const sender = dial(t, await listening(t));
  sender.socket.write(`GET / HTTP/1.1\r\nhost: x\r\n\r\nHEAD / HTTP/1.1\r\nhost: x\r\n\r\n${post('"then"')}`);
  await sender.until('"then"');
  assert.deepEqual(statuses(sender.received()), ['405', '405', '202']);
  assert.equal(sender.received().match(/Webhooks are sent with POST/g)?.length, 1);
});

test('a sender that asks whether to go on is told so in its turn, once', async (t) => {
  let answer: (() => void) | undefined;
  const port = await listening(t, ({ body }) =>
    body.toString() === '"first"'
      ? new Promise((resolve) => (answer = () => resolve(jsonAnswer(202, '"first"'))))
      : jsonAnswer(202, body.toString()),
  );
  const sender = dial(t, port);
  const [head = ''] = post('"second"', 'expect: 100-continue\r\n').split('"');
  sender.socket.write(post('"first"') + head);
  while (answer === undefined) await turn();
  for (let nth = 0; nth < 20; nth += 1) await turn();
  assert.equal(sender.received(), '');
  answer();
  await sender.until('100 Continue\r\n\r\n');
  sender.socket.write('"second"');
  await sender.until('"second"');
  assert.deepEqual(statuses(sender.received()), ['202', '100', '202']);
});

test('slow heads and bodies, silence and idleness end within their times', async (t) => {
  const port = await listening(t, echo, { requestMs: 600, idleMs: 300 });
  const drips = ['x', '\r\n', '', post('{}').slice(0, 40), post('{}').slice(0, -1), `${chunkedHead}1`].map((begin) => {
    const sender = dial(t, port);
    sender.socket.write(begin);
    return sender;
  });
  await Promise.all(drips.map(({ closed }) => closed));
  const [malformed, ...slow] = drips.map(({ received }) => statuses(received()));
  assert.deepEqual(malformed, ['400']);
  for (const one of slow) assert.deepEqual(one, ['408']);
  const idle = dial(t, port);
  idle.socket.write(post('{}'));
  await idle.closed;
  assert.deepEqual(statuses(idle.received()), ['202']);
  const half = dial(t, port);
  half.socket.write(post('{}') + post('{}').slice(0, -1));
  await half.closed;
  assert.deepEqual(statuses(half.received()), ['202', '408']);
});

test('a connection is ended after ten thousand requests, which its sender is told', async (t) => {
  const sender = dial(t, await listening(t));
  sender.socket.write(post('{}').repeat(10_100));
  await sender.closed;
  const text = sender.received();
  assert.equal(statuses(text).length, 10_000);
  assert.equal(text.match(/connection: close/g)?.length, 1);
  assert.equal(text.match(/keep-alive: timeout=60/g)?.length, 9999);
});

test('beyond the bound of connections nobody is let in, and all of the others are served', async (t) => {
  const port = await listening(t);
  const senders = Array.from({ length: 100 }, () => dial(t, port));
  for (const { socket } of senders) socket.write(post('"here"'));
  await Promise.all(senders.map(({ until }) => until('"here"')));
  const late = dial(t, port);
  late.socket.write(post('"late"'));
  await late.closed;
  assert.equal(late.received(), '');
  senders[0]?.socket.destroy();
  for (;;) {
    const next = dial(t, port);
    next.socket.write(post('"next"'));
    await Promise.race([next.closed, new Promise((resolve) => next.socket.once('data', resolve))]);
    if (next.received().includes('"next"')) break;
  }
});

test('an answer is as many bytes as it says, whatever its characters', async (t) => {
  const port = await listening(t, () => jsonAnswer(200, Buffer.from('"größer – 日本"')));
  const sender = dial(t, port);
  sender.socket.write(post('{}') + post('"\xe9"'));
  await sender.until('200 OK\r\n');
  while (statuses(sender.received()).length < 2) await turn();
  const [one = ''] = bodiesIn(sender.received());
  assert.equal(Buffer.from(one, 'latin1').toString(), '"größer – 日本"');
  assert.match(sender.received(), /content-length: 21\r\n/);
});

test('a body in very many pieces, and one that comes with much else, are whole', async (t) => {
  const sender = dial(t, await listening(t));
  const text = Array.from({ length: 2000 }, (_, nth) => String(nth)).join(',');
  const chunks = text.replaceAll(/./g, '1;x\r\n$&\r\n');
  const begun = `"${'y'.repeat(5000)}"`;
  sender.socket.write(`${chunkedHead}${chunks}0\r\n\r\n${post(`"${text}"`)}${post(begun).slice(0, -4000)}`);
  await sender.until(`"${text}"`);
  sender.socket.write(post(begun).slice(-4000));
  await sender.until(begun);
  assert.deepEqual(bodiesIn(sender.received()), [text, `"${text}"`, begun]);
});

test('a handler that fails is an answer too', async (t) => {
  const port = await listening(t, ({ body }) => {
    if (body.toString() === '"throw"') throw new Error('told to');
    return Promise.reject(new Error('told to'));
  });
  const sender = dial(t, port);
  sender.socket.write(post('"throw"') + post('"reject"'));
  while (statuses(sender.received()).length < 2) await turn();
  assert.deepEqual(statuses(sender.received()), ['500', '500']);
});
