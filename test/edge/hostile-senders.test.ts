// The port for webhooks under senders that are slow, huge, many or devious: nobody else is harmed, and nothing is held.
import assert from 'node:assert/strict';
import { type Socket, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { githubHeaders, githubSource, send, webhookLab } from '../labs/webhook-lab.ts';
import { untilAnswer } from '../labs/until.ts';

const open = { name: 'open', type: 'webhook', ingress: 'pushes', kind: 'push', verify: { scheme: 'none' } };

interface Raw {
  readonly socket: Socket;
  received(): string;
  readonly closed: Promise<void>;
}

function raw(t: TestContext, url: string): Raw {
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  return { socket, received: () => text, closed: new Promise((resolve) => socket.once('close', () => resolve())) };
}

test('slow senders are cut off at requestMs, and others are served meanwhile', async (t) => {
  const lab = await webhookLab(t, {
    sources: [open],
    config: { webhooks: { port: 0, limits: { requestMs: 1000, connections: 200 } } },
  });
  const url = await lab.url('open');
  const slow = Array.from({ length: 100 }, () => raw(t, url));
  const drip = setInterval(() => {
    for (const { socket } of slow) if (socket.writable) socket.write('x');
  }, 200);
  t.after(() => clearInterval(drip));
  for (const [nth, { socket }] of slow.entries())
    socket.write(
      nth % 2 === 0
        ? 'POST /hooks/test.hooks/open HTTP/1.1\r\nhost: x\r\nx-slow: '
        : 'POST /hooks/test.hooks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n',
    );
  const answered = await send(url, '{}', { 'content-type': 'application/json' });
  assert.equal(answered.status, 202);
  await Promise.all(slow.map(({ closed }) => closed));
  assert.equal((await send(url, '{}', { 'content-type': 'application/json' })).status, 202);
});

test('a body without end is refused at its bound, whatever it says of its length', async (t) => {
  const lab = await webhookLab(t, { sources: [open] });
  const url = await lab.url('open');
  const chunked = raw(t, url);
  chunked.socket.write('POST /hooks/test.hooks/open HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
  const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
  const pump = (): void => {
    while (chunked.socket.writable && chunked.socket.write(chunk));
  };
  chunked.socket.on('drain', pump);
  pump();
  await chunked.closed;
  const claimed = raw(t, url);
  claimed.socket.write('POST /hooks/test.hooks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n');
  await claimed.closed;
  assert.match(claimed.received(), /^HTTP\/1\.1 413 /);
  assert.equal((await send(url, '{}', { 'content-type': 'application/json' })).status, 202);
});

const smuggled = 'POST /hooks/test.hooks/github HTTP/1.1\r\nhost: x\r\n\r\n';
const attempts: readonly [what: string, request: string][] = [
  ['a length beside chunks', 'content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['two lengths', 'content-length: 5\r\ncontent-length: 6\r\n\r\nabcde'],
  ['a folded header', 'transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n'],
  ['an unknown coding', 'transfer-encoding: xchunked\r\n\r\n'],
  ['a chunk without a size', 'transfer-encoding: chunked\r\n\r\nzz\r\n'],
  ['a space before the colon', 'content-length : 5\r\n\r\nabcde'],
  ['a length that is no number', 'content-length: +5\r\n\r\nabcde'],
];
for (const [what, request] of attempts) {
  test(`${what} is refused, and what hides behind it is not taken for a request`, async (t) => {
    const lab = await webhookLab(t, { sources: [githubSource] });
    const one = raw(t, await lab.url('github'));
    one.socket.write(`POST /hooks/test.hooks/github HTTP/1.1\r\nhost: x\r\n${request}${smuggled}`);
    await one.closed;
    assert.match(one.received(), /^HTTP\/1\.1 400 /);
    assert.equal(one.received().split('HTTP/1.1').length, 2);
    assert.equal((await lab.source('github')).counters.received, 0);
  });
}

test('a flood of bad signatures keeps neither the daemon nor a right one from being answered, and is counted', async (t) => {
  const lab = await webhookLab(t, { sources: [githubSource] });
  const url = await lab.url('github');
  const body = JSON.stringify({ pad: 'x'.repeat(50_000) });
  let flooded = 0;
  let flooding = true;
  const flood = async (): Promise<void> => {
    while (flooding) {
      const { status } = await send(url, body, githubHeaders(body, {}, 'wrong'));
      assert.equal(status, 401);
      flooded += 1;
    }
  };
  const floods = Array.from({ length: 16 }, flood);
  for (let nth = 0; nth < 10; nth += 1) {
    await lab.client.call('daemon.ping', {});
    assert.equal((await send(url, '{}', githubHeaders('{}', { 'x-github-delivery': String(nth) }))).status, 202);
  }
  flooding = false;
  await Promise.all(floods);
  const { counters, state } = await lab.source('github');
  assert.equal(state, 'open');
  assert.equal(counters.refused, flooded);
  assert.equal(counters.accepted, 10);
  await untilAnswer('the answer fits', lab.handled, (count) => count === 10);
});

test('more requests of one source at once than may wait are asked to come back', async (t) => {
  const lab = await webhookLab(t, {
    sources: [{ ...open, answer: 'output' }],
    config: { webhooks: { port: 0, limits: { pending: 2 } } },
  });
  const url = await lab.url('open');
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => send(url, '{"waitMs":400}', { 'content-type': 'application/json' })),
  );
  const busy = answers.filter(({ status }) => status === 429);
  assert.ok(busy.length > 0);
  for (const { headers } of busy) assert.ok(Number(headers['retry-after']) >= 1);
  assert.ok(answers.some(({ status }) => status === 200));
});
