// As much as a worker may say arrives whole wherever it is read, whatever it takes in JSON; one byte more is refused,
// and what came before it stays.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Client } from '../../protocol/client/client.ts';
import type { TranscriptItem } from '../../protocol/runtime.ts';
import { type Stream, openStream } from '../labs/browser-lab.ts';
import { labFolder } from '../labs/profile-lab.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

const runtimeId = 'backend-internal';
const token = 'token-for-everything-of-it';
const most = 256 * 1024;

interface Heard {
  readonly state: string;
  readonly item: TranscriptItem | undefined;
  /** By browser and by socket, as it was said. */
  readonly streamed: readonly string[];
  /** In the first page of events of somebody who comes afterwards. */
  readonly snapshot: string;
}

type Hear = (order: object) => Promise<Heard>;

const outputOf = (stream: Stream): string =>
  stream
    .events()
    .flatMap(({ event, data }) => (event === 'output' ? [String(data['text'])] : []))
    .join('');
const isOver = (stream: Stream): boolean =>
  stream.events().some(({ event, data }) => event === 'state' && data['state'] !== 'busy');

async function listening(t: TestContext, isolation: 'thread' | 'process'): Promise<{ client: Client; hear: Hear }> {
  const config = { plugins: { overrides: { 'test.profiles': { isolation } } }, http: { port: 0, token } };
  const daemon = await startTestDaemon(t, { plugins: [labFolder], config });
  const client = await daemon.connect();
  const { browser } = await client.call('daemon.status', {});
  const [host = '', port = ''] = browser?.address.split(':') ?? [];
  const hear: Hear = async (order) => {
    const { workerId } = await client.call('worker.create', {
      runtimeId,
      intent: 'to say much',
      profile: 'test.profiles:lab',
    });
    const worker = { runtimeId, workerId };
    const path = `/api/runtimes/${runtimeId}/workers/${workerId}/events`;
    const streams = [
      await openStream(t, { host, port: Number(port) }, path, { authorization: `Bearer ${token}` }),
      await openStream(t, daemon.socket, path),
    ];
    await until('both have begun', () => streams.every((stream) => stream.events().length > 0));
    await client.call('worker.input', { ...worker, content: JSON.stringify(order) });
    await until('both have heard the end', () => streams.every(isOver), 60_000);
    const { items } = await client.call('worker.transcript', worker);
    const { events } = await client.call('worker.events', worker);
    const [first] = events;
    const heard = {
      state: (await client.call('worker.show', worker)).state,
      item: items.find(({ role }) => role === 'worker'),
      streamed: streams.map(outputOf),
      snapshot: first?.type === 'snapshot' ? (first.items.find(({ role }) => role === 'worker')?.content ?? '') : '',
    };
    for (const stream of streams) stream.response.destroy();
    await client.call('worker.stop', worker);
    return heard;
  };
  return { client, hear };
}

/** Compared as a whole and not shown: a difference would fill the screen. */
function assertText(actual: string | undefined, expected: string, where: string): void {
  assert.ok(actual === expected, `${where}: ${String(actual?.length)} characters of ${String(expected.length)}`);
}

for (const isolation of ['thread', 'process'] as const) {
  test(
    `what is said up to the bound arrives whole, and not a byte beyond (${isolation})`,
    { timeout: 170_000 },
    async (t) => {
      const { client, hear } = await listening(t, isolation);
      for (const [unit, bytes] of [
        ['x', 1],
        ['\u0001', 1],
        ['😀', 4],
      ] as const) {
        for (const pieces of [1, 64]) {
          const whole = unit.repeat(most / bytes);
          const fits = await hear({ do: 'units', unit, times: most / bytes, pieces });
          assert.deepEqual([fits.state, fits.item?.status, fits.item?.truncated], ['idle', 'done', undefined]);
          for (const text of [fits.item?.content, ...fits.streamed, fits.snapshot])
            assertText(text, whole, JSON.stringify(unit));

          const beyond = await hear({ do: 'units', unit, times: most / bytes + 1, pieces });
          const kept = beyond.item?.content ?? '';
          assert.equal(beyond.state, 'failed');
          assert.deepEqual(
            [pieces === 1, kept === '', beyond.item?.status],
            [pieces === 1, pieces === 1, pieces === 1 ? undefined : 'partial'],
          );
          assert.ok(whole.startsWith(kept));
          for (const text of beyond.streamed) assertText(text, kept, JSON.stringify(unit));
        }
      }
      assert.equal((await client.call('daemon.ping', {})).pong, true);
    },
  );
}
