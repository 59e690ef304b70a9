// A publisher that asks to wait is held at its connection while the queue is full: nothing of it is refused or
// reordered, the daemon keeps no more of it than the queue, others go on, and its time ends when it said.
import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Client } from '../../protocol/client/client.ts';
import { HostError } from '../../protocol/errors.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';

const lab = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));
const plugin = 'waiting.lab';
const capacity = 8;

interface Running {
  readonly daemon: TestDaemon;
  readonly client: Client;
}

async function slowLab(t: TestContext): Promise<Running> {
  const folder = join(await temporaryFolder(t), 'lab');
  await cp(lab, folder, { recursive: true });
  const manifest = JSON.parse(await readFile(join(folder, 'plugin.json'), 'utf8')) as {
    id: string;
    service: { queue?: object; timeouts: object };
  };
  manifest.id = plugin;
  manifest.service.queue = { capacity };
  manifest.service.timeouts = { startMs: 60_000, handleMs: 60_000 };
  await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest));
  const daemon = await startTestDaemon(t, { plugins: [folder], readyMs: 90_000 });
  return { daemon, client: await daemon.connect() };
}

const event = (n: number, work: object): object => ({ ingress: 'work', kind: 'do', payload: { n, ...work } });

/** Its first event is in the cell, and as many as may be wait behind it. */
async function fill(client: Client, firstMs: number): Promise<void> {
  await client.call('ingress.publish', { plugin, event: event(-1, { do: 'sleep', ms: firstMs }) });
  const { results } = (await client.call('ingress.publish', {
    plugin,
    events: Array.from({ length: capacity }, (_, n) => event(n, { do: 'sleep', ms: 1 })),
  })) as { results: { accepted: boolean }[] };
  assert.ok(results.every(({ accepted }) => accepted));
}

test(
  'a publisher that outruns its service is held, loses nothing and keeps its order, and others are served meanwhile',
  { timeout: 120_000 },
  async (t) => {
    const { daemon, client } = await slowLab(t);
    const publisher = await RawSocket.connect(t, daemon.socket);
    const count = 400;
    for (let n = 0; n < count; n += 1)
      publisher.request(n, 'ingress.publish', { plugin, wait: true, event: event(n, { do: 'sleep', ms: 2 }) });
    let highest = 0;
    const others = (async () => {
      for (let looks = 0; looks < 50; looks += 1) {
        const { queue } = await client.call('service.status', { plugin });
        highest = Math.max(highest, queue.highWater);
      }
    })();
    const answers = await publisher.messages(count);
    await others;
    assert.deepEqual(
      answers.map(({ id }) => id),
      Array.from({ length: count }, (_, n) => n),
    );
    assert.ok(answers.every(({ result }) => result?.['accepted'] === true));
    // One more than the capacity may wait: the cell of a running service may have the first already and not have begun
    // it.
    assert.ok(highest <= capacity + 1, `${String(highest)} waited`);
    // The last ones that were let in may still fill the queue, and a delivery does not wait for room.
    for (const endMs = performance.now() + 20_000; ;) {
      const { queue } = await client.call('service.status', { plugin });
      if (queue.depth < capacity) break;
      assert.ok(performance.now() < endMs, `${String(queue.depth)} still wait`);
    }
    const { output } = await client.call('ingress.deliver', {
      plugin,
      event: event(count, { do: 'seen' }),
      timeoutMs: 60_000,
    });
    assert.deepEqual(
      (output as number[]).slice(0, -1),
      Array.from({ length: count }, (_, n) => n),
    );
    const { counters } = await client.call('service.status', { plugin });
    assert.equal(counters.rejected.queueFull, 0);
  },
);

test(
  'of several publishers that wait none is forgotten when one before it is let in',
  { timeout: 120_000 },
  async (t) => {
    const { daemon, client } = await slowLab(t);
    await fill(client, 300);
    const publishers = await Promise.all(Array.from({ length: 6 }, () => RawSocket.connect(t, daemon.socket)));
    const beganMs = performance.now();
    for (const [n, publisher] of publishers.entries())
      publisher.request(n, 'ingress.publish', {
        plugin,
        wait: true,
        timeoutMs: 60_000,
        event: event(100 + n, { do: 'echo' }),
      });
    const answers = await Promise.all(publishers.map(async (publisher) => (await publisher.messages(1))[0]));
    assert.ok(answers.every((answer) => answer?.result?.['accepted'] === true));
    assert.ok(performance.now() - beganMs < 15_000, 'one of them was only let in at its deadline');
  },
);

test(
  'a batch that waits has each event answered in its place, and what is wrong with one is told at once',
  { timeout: 120_000 },
  async (t) => {
    const { client } = await slowLab(t);
    await fill(client, 200);
    const events = [
      event(100, { do: 'echo' }),
      { ingress: 'nowhere', kind: 'do', payload: 1 },
      ...Array.from({ length: capacity * 3 }, (_, n) => event(200 + n, { do: 'echo' })),
    ];
    const { results } = (await client.call('ingress.publish', { plugin, wait: true, events })) as {
      results: ({ accepted: true } | { accepted: false; error: { code: string } })[];
    };
    assert.deepEqual(
      results.map((result) => (result.accepted ? 'accepted' : result.error.code)),
      ['accepted', 'invalid_event', ...Array<string>(capacity * 3).fill('accepted')],
    );
  },
);

test(
  'its time is over when it said: what found no room is refused with when to come again',
  { timeout: 120_000 },
  async (t) => {
    const { client } = await slowLab(t);
    await fill(client, 30_000);
    const beganMs = performance.now();
    await assert.rejects(
      client.call('ingress.publish', { plugin, wait: true, timeoutMs: 300, event: event(1, { do: 'echo' }) }),
      (thrown: unknown) => {
        assert.ok(thrown instanceof HostError && thrown.code === 'queue_full');
        assert.ok(Number(thrown.details['retryAfterMs']) > 0);
        return true;
      },
    );
    const tookMs = performance.now() - beganMs;
    assert.ok(tookMs >= 295 && tookMs < 10_000, `${String(tookMs)} ms`);
  },
);

test('who waits hears at once when the service takes no events any more', { timeout: 120_000 }, async (t) => {
  const { daemon, client } = await slowLab(t);
  await fill(client, 30_000);
  const publisher = await RawSocket.connect(t, daemon.socket);
  publisher.request('held', 'ingress.publish', {
    plugin,
    wait: true,
    timeoutMs: 60_000,
    event: event(1, { do: 'echo' }),
  });
  // Held at its connection: this one waits behind it.
  publisher.request('behind', 'daemon.ping');
  await client.call('daemon.ping', {});
  const stopping = client.call('service.stop', { plugin, now: true }).catch((thrown: unknown) => thrown);
  const [first, second] = await publisher.messages(2);
  assert.deepEqual([first?.id, first?.error?.data.code, second?.id], ['held', 'service_stopped', 'behind']);
  await stopping;
});
