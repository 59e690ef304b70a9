// The live feed as server-sent events.
import assert from 'node:assert/strict';
import { type IncomingMessage, request } from 'node:http';
import { test } from 'node:test';
import type { FeedEvent, FeedNotification } from '../../protocol/operations/telemetry.ts';
import { startControl } from '../labs/control-lab.ts';
import { ask } from '../labs/http-client.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { until } from '../labs/until.ts';

const event = (data: Record<string, unknown>, topic: FeedEvent['topic'] = 'lifecycle', plugin = 'p'): FeedEvent => ({
  topic,
  at: '2026-01-01T00:00:00.000Z',
  plugin,
  data,
});

interface Received {
  readonly id: string;
  readonly event: string;
  readonly data: FeedNotification;
}

/** As a browser's EventSource would read it. */
function read(text: string): Received[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .map((block) =>
      Object.fromEntries(
        block
          .split('\n')
          .filter((line) => !line.startsWith(':'))
          .map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]),
      ),
    )
    .filter((fields) => 'data' in fields)
    .map((fields) => ({
      id: String(fields['id']),
      event: String(fields['event']),
      data: JSON.parse(String(fields['data'])) as FeedNotification,
    }));
}

async function open(
  t: test.TestContext,
  socketPath: string,
  path: string,
): Promise<{ response: IncomingMessage; text(): string }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request({ socketPath, path, agent: false, headers: { accept: 'text/event-stream' } }, resolve);
    outgoing.on('error', reject).end();
    t.after(() => outgoing.destroy());
  });
  let text = '';
  response.setEncoding('utf8');
  response.on('error', () => {});
  response.on('data', (chunk: string) => (text += chunk));
  return { response, text: () => text };
}

test('events come as they happen, with their sequence and topic', async (t) => {
  const { path, feed, server } = await startControl(t);
  const { response, text } = await open(t, path, '/api/events?topics=lifecycle,failure&plugin=p');
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers['content-type'], 'text/event-stream; charset=utf-8');
  await until('the stream is open', () => text().includes('\n\n'));
  assert.equal(server.counts().subscriptions, 1);
  for (const each of [
    event({ n: 1, text: 'line\nbreak' }),
    event({ n: 2 }, 'counters'),
    event({ n: 3 }, 'lifecycle', 'q'),
    event({ n: 4 }, 'failure'),
  ])
    feed.publish(each);
  await until('two events', () => read(text()).length === 2);
  const [first, second] = read(text());
  assert.deepEqual(
    [first?.id, first?.event, first?.data.event],
    ['1', 'lifecycle', event({ n: 1, text: 'line\nbreak' })],
  );
  assert.deepEqual(
    [second?.id, second?.event, second?.data.event.data, second?.data.dropped],
    ['2', 'failure', { n: 4 }, 0],
  );
  response.destroy();
  await until('the subscription ends with the connection', () => server.counts().subscriptions === 0);
});

test('topics may be repeated keys as well, and unknown ones are refused before the stream begins', async (t) => {
  const { path, feed } = await startControl(t);
  const { text } = await open(t, path, '/api/events?topics=failure&topics=plugin');
  await until('the stream is open', () => text().includes(': open'));
  for (const topic of ['plugin', 'lifecycle', 'failure'] as const) feed.publish(event({}, topic));
  await until('two events', () => read(text()).length === 2);
  assert.deepEqual(
    read(text()).map((received) => received.event),
    ['plugin', 'failure'],
  );
  const refused = await ask(path, 'GET', '/api/events?topics=lifecicle');
  assert.deepEqual([refused.status, refused.json['code']], [400, 'invalid_request']);
});

test('a stream that is not read loses the oldest events, counts them, and holds up nobody', async (t) => {
  const { path, feed, server } = await startControl(t, { limits: { subscriptionBuffer: 10 } });
  const slow = await open(t, path, '/api/events?topics=lifecycle');
  const quick = await open(t, path, '/api/events?topics=lifecycle');
  await until('both are open', () => slow.text().includes(': open') && quick.text().includes(': open'));
  slow.response.pause();
  const filler = 'x'.repeat(16 * 1024);
  const count = 300;
  for (let n = 0; n < count; n += 1) {
    feed.publish(event({ n, filler }));
    await until('the quick one has it', () =>
      quick
        .text()
        .slice(-20_000)
        .includes(`"n":${String(n)},`),
    );
  }
  assert.ok(server.counts().subscriptionEvents > 0);
  slow.response.resume();
  await until('the slow one has the last', () =>
    slow
      .text()
      .slice(-20_000)
      .includes(`"n":${String(count - 1)},`),
  );
  await until('all of it', () => slow.text().endsWith('\n\n'));
  const received = read(slow.text());
  const numbers = received.map(({ data }) => data.event.data['n'] as number);
  assert.deepEqual(
    numbers,
    [...numbers].sort((one, other) => one - other),
  );
  assert.equal(numbers.length + (received.at(-1)?.data.dropped ?? 0), count);
});

test('a plain answer cannot be pushed to', async (t) => {
  const { path } = await startControl(t, {
    handlers: {
      'log.read': (_, caller) => ({
        lines: [],
        truncated: false,
        droppedLines: 0,
        ...caller.subscribe({ topics: ['log'] }),
      }),
    },
  });
  const { status, json } = await ask(path, 'GET', '/api/logs?follow=true');
  assert.deepEqual([status, json['code']], [501, 'unsupported_operation']);
});

test('an open stream is told from a dead one by a heartbeat', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { path } = await startControl(t);
  const raw = await RawSocket.connect(t, path);
  raw.send('GET /api/events HTTP/1.1\r\nhost: x\r\n\r\n');
  await raw.includes(': open');
  t.mock.timers.tick(15_000);
  await raw.includes(': still here');
});
