// A plugin that is loaded, unloaded, reloaded and restarted while its workers run: every input that was accepted comes
// to exactly one end, nothing is left behind, and what concerns the plugin's service does not concern its workers.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../protocol/client/client.ts';
import { HostError } from '../../protocol/errors.ts';
import type { TranscriptItem } from '../../protocol/runtime.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';

const runtimeId = 'backend-internal';
const churnMs = 4000;
const deeds = ['quick', 'loop', 'exit', 'late', 'wait'] as const;
const plugin = 'test.churn';

interface Worker {
  readonly runtimeId: string;
  readonly workerId: string;
}

const source = (version: number): string => `
export const service = { start() {}, handleIngress() {} };
const deeds = {
  quick() {},
  loop() { for (const byMs = performance.now() + 100; performance.now() < byMs;); },
  exit() { process.exit(1); },
  late() { setTimeout(() => { throw new Error('late'); }, 5); },
  wait: (ms, signal) => new Promise((resolve) => { setTimeout(resolve, ms); signal.addEventListener('abort', resolve); }),
};
export const profiles = { p: { async onInput(input, ctx) {
  const [deed, ms] = input.content.split(' ');
  ctx.say('version ${String(version)}');
  await deeds[deed](Number(ms), ctx.signal);
  ctx.say(', ended');
} } };`;

async function scene(
  t: TestContext,
  isolation: 'thread' | 'process',
): Promise<{
  daemon: TestDaemon;
  client: Client;
  folder: string;
  create(): Promise<Worker>;
  write(version: number): Promise<void>;
}> {
  const folder = await temporaryFolder(t);
  const service = { ingresses: [{ name: 'in', kinds: ['k'] }] };
  const manifest = {
    schemaVersion: 1,
    id: plugin,
    name: 'Churn',
    version: '1.0.0',
    entry: './index.mjs',
    isolation,
    service,
    profiles: [{ name: 'p', timeoutMs: 60_000 }],
  };
  // Some versions do not parse.
  const write = (version: number): Promise<void> =>
    writeTree(folder, {
      'plugin.json': manifest,
      'index.mjs': version % 5 === 4 ? 'this is no code' : source(version),
    });
  await write(0);
  const daemon = await startTestDaemon(t, { plugins: [folder], config: { limits: { workerCells: 4 } } });
  const client = await daemon.connect();
  const create = async (): Promise<Worker> => ({
    runtimeId,
    workerId: (await client.call('worker.create', { runtimeId, intent: 'to be shaken', profile: `${plugin}:p` }))
      .workerId,
  });
  return { daemon, client, folder, create, write };
}

/** What an operator who is too fast is told; anything else fails the test. */
const expected = new Set([
  'plugin_not_found',
  'plugin_already_loaded',
  'service_unavailable',
  'service_stopped',
  'start_failed',
  'worker_busy',
]);

async function attempt(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (thrown) {
    if (!(thrown instanceof HostError && expected.has(thrown.code))) throw thrown;
  }
}

async function transcriptOf(client: Client, worker: Worker): Promise<TranscriptItem[]> {
  const items: TranscriptItem[] = [];
  for (let start = 0; ;) {
    const page = await client.call('worker.transcript', { ...worker, start, limit: 200 });
    if (page.items.length === 0) return items;
    items.push(...page.items);
    start = page.nextStart;
  }
}

const isEnd = ({ role, status }: TranscriptItem): boolean =>
  (role === 'worker' && (status === 'done' || status === 'streaming')) || status === 'failed' || status === 'cancelled';

async function untilIdle(client: Client, worker: Worker): Promise<void> {
  for (
    const byMs = performance.now() + 60_000;
    (await client.call('worker.show', worker)).state === 'busy';
    await sleep(20)
  )
    assert.ok(performance.now() < byMs, 'its inputs come to an end');
}

for (const isolation of ['thread', 'process'] as const) {
  test(
    `each accepted input has one end while its plugin comes, goes and changes (${isolation})`,
    { timeout: 170_000 },
    async (t) => {
      const { daemon, client, folder, create, write } = await scene(t, isolation);
      const workers = await Promise.all(Array.from({ length: 6 }, create));
      const accepted: { readonly worker: Worker; readonly eventId: string }[] = [];
      const untilMs = performance.now() + churnMs;
      let version = 0;
      const changes = [
        () => client.call('plugin.unload', { plugin }),
        () => client.call('plugin.load', { path: folder }),
        () => client.call('plugin.load', { path: folder }),
        () => client.call('service.restart', { plugin }),
        () => write((version += 1)).then(() => client.call('plugin.reload', { plugin })),
      ];
      const giving = workers.map(async (worker) => {
        while (performance.now() < untilMs) {
          const content = `${deeds[randomInt(deeds.length)] ?? ''} 200`;
          await attempt(
            client
              .call('worker.input', { ...worker, content })
              .then(({ eventId }) => accepted.push({ worker, eventId })),
          );
          if (randomInt(4) === 0) await client.call('worker.cancel', worker);
          await sleep(randomInt(200));
        }
      });
      const changing = async (): Promise<void> => {
        while (performance.now() < untilMs) {
          await attempt(changes[randomInt(changes.length)]?.() ?? Promise.resolve());
          await sleep(randomInt(150));
        }
      };
      await Promise.all([...giving, changing()]);
      for (const worker of workers) await untilIdle(client, worker);
      const items = new Map(
        await Promise.all(workers.map(async (worker) => [worker, await transcriptOf(client, worker)] as const)),
      );
      assert.ok(accepted.length > 20);
      for (const { worker, eventId } of accepted) {
        const ends = (items.get(worker) ?? []).filter((item) => item.eventId === eventId && isEnd(item));
        assert.deepEqual(
          [ends.length, ends.some(({ status }) => status === 'streaming')],
          [1, false],
          JSON.stringify(ends),
        );
      }
      await attempt(client.call('plugin.unload', { plugin }));
      const { counts } = await client.call('daemon.status', {});
      assert.deepEqual([counts.workerCells, counts.workersBusy, counts.unkillable], [0, 0, 0]);
      daemon.signal('SIGTERM');
      assert.deepEqual(await daemon.ended, { code: 0, signal: null });
    },
  );

  test(
    `an input goes on while its plugin's service is stopped, restarted and reloaded (${isolation})`,
    { timeout: 60_000 },
    async (t) => {
      const { client, create, write } = await scene(t, isolation);
      const worker = await create();
      await client.call('worker.input', { ...worker, content: 'wait 3000' });
      while (!(await transcriptOf(client, worker)).some(({ content }) => content === 'version 0')) await sleep(10);
      await client.call('service.restart', { plugin });
      await client.call('service.stop', { plugin });
      await client.call('service.start', { plugin });
      await write(1);
      await client.call('plugin.reload', { plugin });
      await client.call('worker.input', { ...worker, content: 'quick' });
      await untilIdle(client, worker);
      const said = (await transcriptOf(client, worker)).filter(({ role }) => role !== 'user');
      assert.deepEqual(
        said.map(({ status, content }) => [status, content]),
        [
          ['done', 'version 0, ended'],
          ['done', 'version 1, ended'],
        ],
      );
    },
  );
}
