// A daemon that is told to end while inputs run and readers follow: every input is told its end, every reader's stream
// ends as a stream does, and nobody holds the daemon up.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../protocol/client/client.ts';
import { HostError } from '../../protocol/errors.ts';
import type { WorkerEvent } from '../../protocol/runtime.ts';
import { labFolder } from '../labs/profile-lab.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';

const runtimeId = 'backend-internal';
const token = 'token-for-everything-of-it';

interface Address {
  readonly runtimeId: string;
  readonly workerId: string;
}

async function scene(
  t: TestContext,
  isolation: 'thread' | 'process',
  limits: object = {},
): Promise<{ daemon: TestDaemon; client: Client; place: { host: string; port: number } }> {
  const overrides = { 'test.profiles': { isolation, profiles: { lab: { timeoutMs: 120_000 } } } };
  const daemon = await startTestDaemon(t, {
    plugins: [labFolder],
    config: { plugins: { overrides }, http: { port: 0, token }, limits },
  });
  const client = await daemon.connect();
  const { browser } = await client.call('daemon.status', {});
  const [host = '', port = ''] = browser?.address.split(':') ?? [];
  return { daemon, client, place: { host, port: Number(port) } };
}

/** A worker that has begun its input, with another one waiting behind it. */
async function busy(client: Client, deed: string): Promise<Address> {
  const { workerId } = await client.call('worker.create', {
    runtimeId,
    intent: 'to be ended',
    profile: 'test.profiles:lab',
  });
  const worker = { runtimeId, workerId };
  await client.call('worker.input', { ...worker, content: JSON.stringify({ do: 'starts', then: deed }) });
  await client.call('worker.input', { ...worker, content: JSON.stringify({ do: 'echo', text: 'too late' }) });
  let after: string | undefined;
  for (const byMs = performance.now() + 30_000; performance.now() < byMs;) {
    const page: { events: WorkerEvent[]; next: string } = await client.call('worker.events', {
      ...worker,
      waitMs: 1000,
      ...(after === undefined ? {} : { after }),
    });
    if (
      page.events.some(
        (event) =>
          event.type === 'output' ||
          (event.type === 'snapshot' && event.items.some(({ role, content }) => role === 'worker' && content !== '')),
      )
    )
      return worker;
    after = page.next;
  }
  throw new Error('the input did not begin');
}

async function follow(
  t: TestContext,
  place: { host: string; port: number } | string,
  { workerId }: Address,
): Promise<RawSocket> {
  const raw = await RawSocket.connect(t, place);
  const host = typeof place === 'string' ? 'x' : `${place.host}:${String(place.port)}`;
  raw.send(
    `GET /api/runtimes/${runtimeId}/workers/${workerId}/events HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\n\r\n`,
  );
  await raw.includes('event: snapshot');
  return raw;
}

/** What a reader of pages has heard when its connection ends. */
async function readPages(daemon: TestDaemon, worker: Address): Promise<WorkerEvent[]> {
  const client = await daemon.connect();
  const heard: WorkerEvent[] = [];
  let after: string | undefined;
  try {
    for (;;) {
      const page: { events: WorkerEvent[]; next: string } = await client.call('worker.events', {
        ...worker,
        waitMs: 30_000,
        ...(after === undefined ? {} : { after }),
      });
      heard.push(...page.events);
      after = page.next;
      // Nothing comes any more; the connection is about to end.
      if (page.events.length === 0) await sleep(10);
    }
  } catch (thrown) {
    assert.equal(thrown instanceof HostError && thrown.code, 'connection_closed', String(thrown));
    return heard;
  }
}

async function endsWithin(
  daemon: TestDaemon,
  ms: number,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  const beganMs = performance.now();
  const late = setTimeout(() => daemon.signal('SIGKILL'), ms);
  const ended = await daemon.ended;
  clearTimeout(late);
  assert.ok(
    performance.now() - beganMs < ms,
    `the daemon had to be killed after ${String(ms)} ms:\n${daemon.log().slice(-2000)}`,
  );
  return ended;
}

for (const isolation of ['thread', 'process'] as const) {
  test(
    `what runs ends as interrupted, what waits is kept, and every stream ends whole, in time (${isolation})`,
    { timeout: 120_000 },
    async (t) => {
      const { daemon, client, place } = await scene(t, isolation);
      const workers = await Promise.all(
        ['loop', 'hang', ...(isolation === 'process' ? ['waitNatively'] : [])].map((deed) => busy(client, deed)),
      );
      const { workerId } = await client.call('worker.create', { runtimeId, intent: 'to be quiet' });
      const quiet = { runtimeId, workerId };
      const { next } = await client.call('worker.events', quiet);
      const streams = await Promise.all(
        workers.flatMap((worker) => [follow(t, place, worker), follow(t, daemon.socket, worker)]),
      );
      const paged = workers.map((worker) => readPages(daemon, worker));
      const deaf = await follow(t, place, quiet);
      deaf.socket.pause();
      const waiting = client.call('worker.events', { ...quiet, after: next, waitMs: 30_000 });
      const [shutdown, page] = await Promise.all([client.call('daemon.shutdown', {}), waiting]);
      assert.ok(shutdown);
      assert.deepEqual(page.events, [], 'the end of the daemon ends the wait');
      assert.deepEqual(await endsWithin(daemon, 12_000), { code: 0, signal: null });
      for (const heard of await Promise.all(paged)) {
        const items = heard.flatMap((event) =>
          event.type === 'item' ? [event.item] : event.type === 'snapshot' ? event.items : [],
        );
        const ends = items.filter(({ role }) => role === 'host').map(({ content }) => content.split(':')[0]);
        assert.deepEqual(ends, ['interrupted'], JSON.stringify(heard));
      }
      for (const stream of streams) {
        const rest = await stream.rest();
        assert.equal(
          rest.match(/"status":"failed"/g)?.length,
          1,
          'of the input that ran, and not of the one that waits',
        );
        assert.match(rest, /0\r\n\r\n$/, 'the stream ends as a stream does');
      }
    },
  );
}

test(
  'a program that cannot be ended keeps neither the streams open nor the daemon',
  { timeout: 120_000 },
  async (t) => {
    const { daemon, client, place } = await scene(t, 'thread', { killMs: 500, shutdownMs: 6000 });
    const { workerId } = await client.call('worker.create', {
      runtimeId,
      intent: 'native',
      profile: 'test.profiles:lab',
    });
    const worker = { runtimeId, workerId };
    await client.call('worker.input', { ...worker, content: JSON.stringify({ do: 'native', rounds: 40_000_000 }) });
    const stream = await follow(t, place, worker);
    await stream.includes('computing');
    daemon.signal('SIGTERM');
    assert.deepEqual(await endsWithin(daemon, 6000 + 4000), { code: null, signal: 'SIGKILL' });
    assert.match(await stream.rest(), /"status":"failed"[^]*0\r\n\r\n$/);
  },
);
