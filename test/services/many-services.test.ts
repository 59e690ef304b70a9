// Fifty services in one daemon with mixed work, while one of them loops for ever: order and conservation of each, and
// nobody else feels it.
import assert from 'node:assert/strict';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Client } from '../../protocol/client/client.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

const count = 50;
const events = 200;
const lab = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));

async function manyLabs(root: string): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const folder = join(root, `lab-${String(n)}`);
    await mkdir(folder, { recursive: true });
    await cp(lab, folder, { recursive: true });
    const manifest = JSON.parse(await readFile(join(folder, 'plugin.json'), 'utf8')) as {
      id: string;
      service: { timeouts: { handleMs: number; startMs: number } };
    };
    manifest.id = `many.${String(n)}`;
    manifest.service.timeouts.startMs = 60_000;
    if (n !== 0) manifest.service.timeouts.handleMs = 20_000;
    await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifest));
  }
}

/** Sends a service its events in order, waiting where its queue is full. */
async function feed(client: Client, plugin: string, work: (n: number) => object): Promise<void> {
  for (let n = 0; n < events;) {
    const batch = Array.from({ length: Math.min(20, events - n) }, (_, i) => ({
      ingress: 'work',
      kind: 'do',
      payload: { n: n + i, ...work(n + i) },
    }));
    const answer = await client.call('ingress.publish', { plugin, events: batch });
    assert.ok('results' in answer);
    const firstRefused = answer.results.findIndex(({ accepted }) => !accepted);
    n += firstRefused === -1 ? batch.length : firstRefused;
    // What was accepted behind a refused event would be out of order: with one sender a full queue refuses all the
    // rest.
    if (firstRefused !== -1) {
      assert.ok(answer.results.slice(firstRefused).every(({ accepted }) => !accepted));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

test('fifty services keep order and conservation while one loops for ever', { timeout: 120_000 }, async (t) => {
  const root = await temporaryFolder(t);
  await manyLabs(root);
  const daemon = await startTestDaemon(t, { plugins: [root], readyMs: 90_000 });
  const client = await daemon.connect();
  const { services } = await client.call('service.list', {});
  assert.equal(services.filter(({ lifecycle }) => lifecycle === 'running').length, count);

  await client.call('ingress.publish', {
    plugin: 'many.0',
    event: { ingress: 'work', kind: 'do', payload: { do: 'loop' } },
  });
  const work = (n: number): object =>
    n % 10 === 0 ? { do: 'sleep', ms: 1 } : n % 17 === 0 ? { do: 'throw' } : { do: 'echo' };
  await Promise.all(Array.from({ length: count - 1 }, (_, i) => feed(client, `many.${String(i + 1)}`, work)));

  for (let n = 1; n < count; n += 1) {
    const plugin = `many.${String(n)}`;
    const { output } = await client.call('ingress.deliver', {
      plugin,
      event: { ingress: 'work', kind: 'do', payload: { do: 'seen' } },
      timeoutMs: 30_000,
    });
    assert.deepEqual(
      (output as (number | null)[]).slice(0, -1),
      Array.from({ length: events }, (_, i) => i),
      `${plugin} lost its order`,
    );
    const { counters, queue, inFlight, lifecycle } = await client.call('service.status', { plugin });
    assert.equal(lifecycle, 'running');
    assert.equal(
      counters.enqueued,
      counters.handled +
        counters.failed +
        counters.discarded +
        counters.deadLettered +
        queue.depth +
        (inFlight === null ? 0 : 1),
    );
    assert.equal(counters.enqueued, events + 1);
    assert.equal(
      counters.deadLettered,
      Array.from({ length: events }, (_, i) => i).filter((i) => i % 10 !== 0 && i % 17 === 0).length,
    );
  }
  const looped = await client.call('service.status', { plugin: 'many.0' });
  assert.equal(looped.lifecycle, 'failed');
  assert.equal(looped.lastError?.code, 'dispatch_timeout');
});
