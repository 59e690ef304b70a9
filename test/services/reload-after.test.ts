// Reloads of a plugin that holds what only one can hold: a port. Beside the old incarnation the new one cannot start;
// after it has stopped, it can.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

const plugin = 'test.port';

const manifest = (reload: string | undefined, isolation: string): object => ({
  schemaVersion: 1,
  id: plugin,
  name: 'Port',
  version: '1.0.0',
  entry: './index.js',
  isolation,
  service: {
    ingresses: [{ name: 'in', kinds: ['any'] }],
    timeouts: { handleMs: 10_000 },
    ...(reload === undefined ? {} : { reload }),
  },
});

/** Answers with its generation and the number of the event; "wait" takes its time. */
const source = (generation: string, port: number): string => `
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { generation } from './generation.js';
let server;
export const service = {
  start: () => new Promise((resolve, reject) => {
    server = createServer().once('error', reject).listen(${String(port)}, '127.0.0.1', resolve);
  }),
  async handleIngress({ payload, eventId, attempt }) {
    if (payload.ms !== undefined) await sleep(payload.ms);
    return { generation, n: payload.n, eventId, attempt };
  },
  stop: () => new Promise((resolve) => server.close(resolve)),
};
// ${generation}
`;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** An event that has not begun when a reload does is for the new code. */
const begun = (client: Trial['client']): Promise<void> =>
  until('the event has begun', async () => (await client.call('service.status', { plugin })).inFlight !== null);

interface Trial {
  readonly daemon: TestDaemon;
  readonly client: Awaited<ReturnType<TestDaemon['connect']>>;
  write(generation: string, broken?: string): Promise<void>;
  deliver(n: number, ms?: number): Promise<{ generation: string; n: number; attempt: number }>;
}

async function portTrial(
  t: TestContext,
  reload: string | undefined,
  { isolation = 'thread', override = {} }: { isolation?: string; override?: object } = {},
): Promise<Trial> {
  const folder = join(await temporaryFolder(t), 'port');
  const port = await freePort();
  const write = (generation: string, broken?: string): Promise<void> =>
    writeTree(folder, {
      'package.json': { type: 'module' },
      'plugin.json': manifest(reload, isolation),
      'index.js': broken ?? source(generation, port),
      'generation.js': `export const generation = ${JSON.stringify(generation)};`,
    });
  await write('old');
  const daemon = await startTestDaemon(t, {
    plugins: [folder],
    config: { plugins: { overrides: { [plugin]: override } } },
  });
  const client = await daemon.connect();
  const deliver: Trial['deliver'] = async (n, ms) =>
    (
      await client.call('ingress.deliver', {
        plugin,
        event: { ingress: 'in', kind: 'any', payload: { n, ...(ms === undefined ? {} : { ms }) } },
      })
    ).output as Awaited<ReturnType<Trial['deliver']>>;
  return { daemon, client, write, deliver };
}

test('a reload beside a plugin that holds a port fails, leaves the old one running, and names the way that works', async (t) => {
  const { client, write, deliver } = await portTrial(t, undefined);
  await write('new');
  await assert.rejects(
    client.call('plugin.reload', { plugin }),
    (error: unknown) =>
      error instanceof HostError &&
      error.code === 'start_failed' &&
      /EADDRINUSE[^]*\. The old incarnation runs beside[^]*"reload": "after"/.test(error.message),
  );
  assert.equal((await deliver(1)).generation, 'old');
});

test("a reload that fails is told in the plugin's log and its status, with the place of the fault", async (t) => {
  const { daemon, client, write, deliver } = await portTrial(t, undefined);
  await write('new', 'export const service = {');
  await assert.rejects(client.call('plugin.reload', { plugin }));
  assert.equal((await deliver(1)).generation, 'old');
  const { lifecycle, lastError } = await client.call('service.status', { plugin });
  assert.deepEqual([lifecycle, lastError?.code], ['running', 'start_failed']);
  assert.match(lastError?.message ?? '', /index\.js:1:25: /);
  const told = (): string => readFileSync(join(daemon.folder, 'state', 'logs', `${plugin}.ndjson`), 'utf8');
  for (
    const deadline = performance.now() + 20_000;
    !/The new incarnation did not start, and the old one goes on: .*index\.js:1:25/.test(told());
  ) {
    assert.ok(performance.now() < deadline, told());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

for (const isolation of ['thread', 'process']) {
  test(`a ${isolation} that holds a port is reloaded after it has stopped, and its queue and its callers go on with the new code`, async (t) => {
    const { client, write, deliver } = await portTrial(t, 'after', { isolation });
    const running = deliver(0, 300);
    const waiting = [1, 2, 3].map((n) => deliver(n));
    await begun(client);
    await write('new');
    assert.equal((await client.call('plugin.reload', { plugin })).incarnation, 2);
    assert.deepEqual(await running.then(({ generation, attempt }) => [generation, attempt]), ['old', 1]);
    assert.deepEqual(
      (await Promise.all(waiting)).map(({ generation, n, attempt }) => [generation, n, attempt]),
      [1, 2, 3].map((n) => ['new', n, 1]),
    );
    const { counters, lifecycle } = await client.call('service.status', { plugin });
    assert.deepEqual([lifecycle, counters.enqueued, counters.handled, counters.discarded], ['running', 4, 4, 0]);
  });
}

for (const [fault, broken] of [
  ['does not parse', 'export const service = {'],
  ['throws in its start', 'export const service = { start() { throw new Error("planned"); }, handleIngress() {} };'],
] as const) {
  test(`new code that ${fault} is replaced by the old code, and nobody who waits is refused`, async (t) => {
    const { client, write, deliver } = await portTrial(t, 'after', { override: { restart: { policy: 'never' } } });
    const running = deliver(0, 300);
    const waiting = [1, 2].map((n) => deliver(n));
    await begun(client);
    await write('new', broken);
    await assert.rejects(
      client.call('plugin.reload', { plugin }),
      (error: unknown) =>
        error instanceof HostError &&
        error.code === 'start_failed' &&
        /\. The old code runs again, as incarnation 3\.$/.test(error.message),
    );
    assert.deepEqual(
      (await Promise.all([running, ...waiting])).map(({ generation, n }) => [generation, n]),
      [
        ['old', 0],
        ['old', 1],
        ['old', 2],
      ],
    );
    const timeline = (await client.call('timeline.read', { plugin, limit: 1000 })).entries;
    assert.ok(
      timeline.some(({ event, message }) => event === 'reload_failed' && message.includes('the old code runs again')),
    );
    await write('corrected');
    await client.call('plugin.reload', { plugin });
    assert.equal((await deliver(3)).generation, 'corrected');
  });
}

test('the old code runs on from its copy also after a crash, until the next reload', async (t) => {
  const { client, write, deliver } = await portTrial(t, 'after');
  await write('new', 'throw new Error("planned");');
  await assert.rejects(client.call('plugin.reload', { plugin }));
  await client.call('service.restart', { plugin });
  assert.equal((await deliver(1)).generation, 'old');
});

test('the operator may decide how a plugin is reloaded', async (t) => {
  const { client, write, deliver } = await portTrial(t, undefined, { override: { reload: 'after' } });
  assert.deepEqual((await client.call('plugin.show', { plugin })).overridden, ['service.reload']);
  await write('new');
  await client.call('plugin.reload', { plugin });
  assert.equal((await deliver(1)).generation, 'new');
});
