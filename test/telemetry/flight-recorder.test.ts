// A failed service leaves a bundle: enough to say why, nothing that must stay secret, few and small, and whatever goes
// wrong with it is nobody else's trouble.
import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import type { Limits } from '../../daemon/config/schema.ts';
import { limits as limitsSchema } from '../../daemon/config/schema.ts';
import { realClock } from '../../daemon/time/real-clock.ts';
import { type BundleParts, bundleText } from '../../daemon/telemetry/bundle.ts';
import { FlightRecorder } from '../../daemon/telemetry/flight-recorder.ts';
import { manifest } from '../../protocol/manifest.ts';
import type { ServiceStatus } from '../../protocol/status.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

const labFolder = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));

function parts(more: Partial<BundleParts> & { text?: string; rows?: number } = {}): BundleParts {
  const { text = '', rows = 3, ...given } = more;
  const at = '2030-01-01T00:00:00.000Z';
  const timeline = Array.from({ length: rows }, (_, n) => ({
    sequence: n,
    at,
    level: 'info' as const,
    event: 'x',
    message: `${String(n)} ${text}`,
    incarnation: 1,
  }));
  const log = Array.from({ length: rows }, (_, n) => ({ level: 'info', time: at, msg: `${String(n)} ${text}` }));
  // Only what the bundle looks into.
  const status = {
    lastError: { code: 'cell_crashed', message: text, at, stack: text },
    reported: { value: text },
    diagnostics: [{ message: text }],
  } as unknown as ServiceStatus;
  return {
    pluginId: 'test.lab',
    at,
    manifest: manifest.parse({
      schemaVersion: 1,
      id: 'test.lab',
      name: 'Lab',
      version: '1.0.0',
      entry: './i.js',
      env: ['LAB_SECRET'],
    }),
    status,
    timeline,
    log,
    ...given,
  };
}

interface BundleShape {
  readonly timeline: readonly { readonly sequence: number }[];
  readonly log: readonly unknown[];
  readonly omitted: { readonly timeline: number; readonly log: number };
}

test('whatever there is to tell, a bundle is JSON within its bound and holds the newest', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 16 * 1024, max: 64 * 1024 }),
      fc.string({ maxLength: 60_000, unit: 'binary' }),
      fc.integer({ min: 0, max: 400 }),
      (maxBytes, text, rows) => {
        const made = bundleText(parts({ text, rows, waiting: [text] }), { node: 'v20' }, maxBytes, (json) => json);
        assert.ok(Buffer.byteLength(made) <= maxBytes, `${String(Buffer.byteLength(made))} of ${String(maxBytes)}`);
        const { timeline, log, omitted } = JSON.parse(made) as BundleShape;
        assert.deepEqual([timeline.length + omitted.timeline, log.length + omitted.log], [rows, rows]);
        assert.deepEqual(
          timeline.map(({ sequence }) => sequence),
          Array.from(timeline, (_, n) => omitted.timeline + n),
        );
      },
    ),
    { numRuns: 60 },
  );
});

async function recorder(
  t: TestContext,
  over: Partial<Limits> = {},
  folder?: string,
): Promise<{ recorder: FlightRecorder; folder: string; written: string[]; troubles: Error[] }> {
  const made = folder ?? join(await temporaryFolder(t), 'state', 'bundles');
  const written: string[] = [];
  const troubles: Error[] = [];
  const instance = new FlightRecorder({
    folder: made,
    limits: { ...limitsSchema.parse({}), ...over },
    clock: realClock,
    version: '1.2.3',
    onWritten: (_plugin, path) => void written.push(path),
    onTrouble: (error) => void troubles.push(error),
  });
  t.after(() => instance.close(1000));
  return { recorder: instance, folder: made, written, troubles };
}

const failing = (pluginId: string, at = new Date().toISOString()): Parameters<FlightRecorder['record']>[0] => ({
  pluginId,
  periodMs: 60_000,
  redact: (json) => json,
  collect: () => parts({ pluginId, at }),
});

test('a plugin that fails again and again gets one bundle a period, and others theirs', async (t) => {
  const { recorder: instance, folder } = await recorder(t);
  for (let n = 0; n < 200; n += 1) instance.record(failing('test.loop'));
  instance.record(failing('test.other'));
  await instance.close(10_000);
  assert.deepEqual((await readdir(folder)).map((name) => name.replace(/^.*Z-/, '')).sort(), [
    'test.loop.json',
    'test.other.json',
  ]);
  assert.equal(instance.skipped, 199);
});

test('bundles are bounded in number, the oldest go, and nothing else in the folder is touched', async (t) => {
  const { recorder: instance, folder, written } = await recorder(t, { bundles: 3 });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'notes.txt'), 'mine');
  await writeFile(join(folder, '20300101T000000000Z-test.p0.json.0123456789abcdef.tmp'), 'half');
  for (let n = 0; n < 6; n += 1)
    instance.record(failing(`test.p${String(n)}`, new Date(Date.UTC(2030, 0, 1, 0, 0, n)).toISOString()));
  await until('all are written', () => written.length === 6);
  // A clock that was set back makes the newest look like the oldest.
  instance.record(failing('test.back', '1999-01-01T00:00:00.000Z'));
  await until('the last is written', () => written.length === 7);
  await instance.close(1000);
  assert.deepEqual((await readdir(folder)).sort(), [
    '19990101T000000000Z-test.back.json',
    '20300101T000004000Z-test.p4.json',
    '20300101T000005000Z-test.p5.json',
    'notes.txt',
  ]);
});

test("a folder that cannot be made is told once, and a collector that throws is no fault of the daemon's", async (t) => {
  const root = await temporaryFolder(t);
  await writeFile(join(root, 'state'), '');
  const { recorder: instance, troubles, written } = await recorder(t, {}, join(root, 'state', 'bundles'));
  instance.record({ ...failing('test.broken'), collect: () => JSON.parse('{') as BundleParts });
  for (let n = 0; n < 5; n += 1) instance.record(failing(`test.p${String(n)}`));
  await until('the trouble is told', () => troubles.length > 0);
  await rm(join(root, 'state'));
  instance.record(failing('test.later'));
  await until('a later one is written', () => written.some((path) => path.includes('test.later')));
  assert.equal(troubles.length, 1);
});

const secret = 'a-secret-nobody-may-see';

async function crash(t: TestContext, config: object): Promise<{ daemon: TestDaemon; text: string; folder: string }> {
  const overrides = {
    'test.lab': {
      restart: { policy: 'on-failure', intensity: 50, periodMs: 60_000, backoffMs: [5, 10] },
      retry: { maxAttempts: 2 },
    },
  };
  const daemon = await startTestDaemon(t, {
    plugins: [labFolder],
    config: { plugins: { overrides }, ...config },
    env: { LAB_SECRET: secret, OTHER_SECRET: 'never-in-there' },
  });
  const client = await daemon.connect();
  const event = (payload: object): object => ({ ingress: 'work', kind: 'do', payload });
  await assert.rejects(client.call('ingress.deliver', { plugin: 'test.lab', event: event({ do: 'secret' }) }));
  await client.call('ingress.publish', {
    plugin: 'test.lab',
    events: [event({ do: 'loop', mark: 'payload-mark' }), event({ do: 'echo', mark: 'second-mark' })],
  });
  const folder = join(daemon.folder, 'state', 'bundles');
  await until(
    'a bundle is there',
    async () => (await readdir(folder).catch(() => [])).some((name) => name.endsWith('.json')),
    60_000,
  );
  const [name = ''] = (await readdir(folder)).filter((found) => found.endsWith('.json'));
  return { daemon, folder, text: await readFile(join(folder, name), 'utf8') };
}

test('a crash of a real service leaves a bundle with its story, and neither secrets nor payloads', async (t) => {
  const { daemon, folder, text } = await crash(t, {});
  const bundle = JSON.parse(text) as {
    status: ServiceStatus;
    timeline: { event: string }[];
    log: { msg: string }[];
    daemon: { versions: object; limits: Limits };
    manifest: { env: string[] };
    lastError: { code: string };
  };
  assert.equal(bundle.lastError.code, 'dispatch_timeout');
  assert.ok(bundle.timeline.some(({ event }) => event === 'failed'));
  assert.ok(bundle.log.some(({ msg }) => msg.includes('started')));
  assert.deepEqual(Object.keys(bundle.daemon.versions), ['nagaya', 'node', 'v8']);
  assert.deepEqual(bundle.manifest.env, ['LAB_SECRET']);
  assert.doesNotMatch(text, new RegExp(`${secret}|never-in-there|payload-mark|second-mark`));
  for (const path of [folder, join(folder, (await readdir(folder))[0] ?? '')])
    assert.equal((await stat(path)).mode & 0o077, 0);
  // The second failure falls into the same period.
  const client = await daemon.connect();
  await until(
    'it is lost for good',
    async () => (await client.call('deadLetter.list', { plugin: 'test.lab' })).total === 1,
    60_000,
  );
  assert.equal((await readdir(folder)).length, 1);
});

test('payloads are recorded where the configuration asks for them', async (t) => {
  const { text } = await crash(t, { bundles: { payloads: true } });
  assert.match(text, /payload-mark[^]*second-mark/);
  assert.doesNotMatch(text, new RegExp(secret));
});
