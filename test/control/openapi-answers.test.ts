// Whatever a real daemon answers over HTTP, its OpenAPI document declares: the status, the type and the body's shape.
import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import type { Operation } from '../../protocol/operation.ts';
import { type OperationName, operationNames, operations } from '../../protocol/operations.ts';
import { examplesFolder, fileCleanup, serve, temporaryFolder } from '../labs/cli-process.ts';
import { type HttpAnswer, ask } from '../labs/http-client.ts';
import { DeclaredAnswers, type Document } from '../labs/openapi-document.ts';
import { writePlugin } from '../labs/written-plugin.ts';

const lab = 'test.lab';
const hooks = 'test.written';
const labFolder = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));

const profilesFolder = fileURLToPath(new URL('../fixtures/profiles/lab', import.meta.url));
const token = 'a-token-that-may-do-everything';
const readToken = 'a-token-that-may-only-read';

const file = fileCleanup();
let socket = '';
let declared: DeclaredAnswers;
before(async () => {
  const config = join(temporaryFolder(file), 'nagaya.json');
  // One attempt makes a dead letter.
  writeFileSync(
    config,
    JSON.stringify({
      http: { port: 0, token, readToken },
      webhooks: { port: 0 },
      mcp: { pin: true },
      plugins: { overrides: { [lab]: { retry: { maxAttempts: 1 } } } },
    }),
  );
  ({ socket } = await serve(file, [
    '--config',
    config,
    '--plugins',
    `${examplesFolder}/greeter`,
    `${examplesFolder}/primes`,
    labFolder,
    profilesFolder,
    writeHooks(),
  ]));
  declared = new DeclaredAnswers((await ask(socket, 'GET', '/api/openapi.json')).json as unknown as Document);
});

function writeHooks(): string {
  const ingresses = [{ name: 'pushes', kinds: ['push'] }];
  const open = { name: 'open', type: 'webhook', ingress: 'pushes', kind: 'push', verify: { scheme: 'none' } };
  const yearly = { name: 'yearly', type: 'schedule', ingress: 'pushes', kind: 'push', cron: '0 0 1 1 *' };
  const next = { name: 'next', type: 'event', plugin: lab, ingress: 'work', kind: 'do' };
  return writePlugin(temporaryFolder(file), {
    manifest: { service: { ingresses, sources: [open, yearly], outputs: [next] } },
    files: { 'index.js': 'export const service = { start() {}, handleIngress() {} };' },
  });
}

type Values = Readonly<Record<string, unknown>>;

const textOf = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

/** What stands in the path goes there, the rest into query or body. */
async function call(name: OperationName, values: Values = {}): Promise<HttpAnswer> {
  const { http }: Operation = operations[name];
  const rest = new Map(Object.entries(values));
  const path = http.path.replaceAll(/\{(\w+)\}/g, (_, key: string) => {
    const text = textOf(rest.get(key));
    rest.delete(key);
    // An empty segment would be another path.
    return encodeURIComponent(text === '' ? 'nothing' : text);
  });
  if (http.method === 'POST') return await ask(socket, 'POST', path, { body: Object.fromEntries(rest) });
  const query = new URLSearchParams([...rest].map(([key, value]): [string, string] => [key, textOf(value)]));
  return await ask(socket, http.method, `${path}${rest.size > 0 ? `?${query.toString()}` : ''}`);
}

const event = (payload: unknown): object => ({ ingress: 'messages', kind: 'text', payload });
const greeter = 'example.greeter';
const primes = { plugin: 'example.primes', tool: 'primes' };
const runtimeId = 'backend-internal';
const work = (payload: unknown): object => ({ ingress: 'work', kind: 'do', payload });

/** In this order: each operation in its ways to succeed and to refuse. */
const walk: readonly [name: OperationName, status: number, values?: Values][] = [
  ['daemon.ping', 200],
  ['daemon.status', 200],
  ['daemon.health', 200],
  ['plugin.list', 200],
  ['plugin.show', 200, { plugin: greeter }],
  ['plugin.show', 404, { plugin: 'nobody' }],
  ['plugin.show', 400, { plugin: 'NO ID' }],
  ['plugin.load', 409, { path: `${examplesFolder}/greeter` }],
  ['plugin.load', 422, { path: examplesFolder }],
  ['plugin.load', 200, { path: `${examplesFolder}/webhook-counter` }],
  ['plugin.reload', 200, { plugin: greeter }],
  ['plugin.unload', 200, { plugin: 'example.webhook-counter' }],
  ['store.status', 200],
  ['store.verify', 200],
  ['store.backup', 400, { path: 'relative' }],
  ['store.backup', 200, { path: join(mkdtempSync(join(tmpdir(), 'nagaya-backup-')), 'state') }],
  ['service.start', 200, { plugin: greeter }],
  ['service.start', 501, { plugin: primes.plugin }],
  ['service.list', 200],
  ['service.status', 200, { plugin: greeter, wait: true }],
  ['ingress.publish', 200, { plugin: greeter, event: event({ name: 'Ada' }) }],
  ['ingress.publish', 200, { plugin: greeter, events: [event({ name: 'Ada' }), { kind: 'none' }] }],
  ['ingress.publish', 400, { plugin: greeter, event: { ingress: 'none', kind: 'text' } }],
  ['ingress.deliver', 200, { plugin: greeter, event: event({ name: 'Ada' }) }],
  ['service.restart', 200, { plugin: lab }],
  ['ingress.deliver', 502, { plugin: lab, event: work({ do: 'throw', what: 'error' }) }],
  ['timeline.read', 200, { plugin: lab }],
  ['event.explain', 200, { plugin: lab }],
  ['deadLetter.list', 200, { plugin: lab }],
  ['deadLetter.show', 404, { plugin: lab, id: 'none' }],
  ['config.reload', 200],
  ['source.list', 200],
  ['source.list', 404, { plugin: 'none' }],
  ['source.pause', 200, { plugin: hooks, source: 'open' }],
  ['source.pause', 404, { plugin: hooks, source: 'none' }],
  ['source.resume', 200, { plugin: hooks, source: 'open' }],
  ['source.trigger', 200, { plugin: hooks, source: 'yearly' }],
  ['source.trigger', 501, { plugin: hooks, source: 'open' }],
  ['output.list', 200],
  ['output.list', 404, { plugin: 'none' }],
  ['output.show', 200, { plugin: hooks, output: 'next' }],
  ['output.show', 404, { plugin: hooks, output: 'none' }],
  ['output.retry', 200, { plugin: hooks, output: 'next' }],
  ['output.discard', 200, { plugin: hooks, output: 'next' }],
  ['service.state', 200, { plugin: lab }],
  ['service.state', 404, { plugin: 'none' }],
  ['service.stop', 200, { plugin: greeter }],
  ['ingress.deliver', 409, { plugin: greeter, event: event({ name: 'Ada' }) }],
  ['log.read', 200],
  ['log.read', 200, { plugin: lab, limit: 5 }],
  ['log.read', 501, { follow: true }],
  ['tool.list', 200],
  ['usage.list', 200],
  ['audit.list', 200],
  ['usage.list', 404, { plugin: 'nobody' }],
  ['tool.call', 200, { ...primes, input: { below: 100 } }],
  ['tool.call', 400, { ...primes, input: { below: 'many' } }],
  ['tool.call', 404, { ...primes, tool: 'none' }],
  ['tool.call', 504, { ...primes, input: { below: 100_000_000 }, timeoutMs: 50 }],
  ['tool.cancel', 200, { callId: 'none' }],
  ['events.unsubscribe', 200, { subscriptionId: 'none' }],
  ['browser.link', 200, { readOnly: true }],
  ['mcp.tools', 200],
  ['mcp.approve', 200],
  ['mcp.approve', 404, { names: ['none'] }],
  ['mcp.access', 200],
  ['cluster.status', 501],
  ['cluster.drain', 501],
  ['runtime.list', 200],
  ['runtime.show', 200, { runtimeId }],
  ['runtime.show', 404, { runtimeId: 'none' }],
  ['runtime.workers', 200, { runtimeId: 'local' }],
  ['worker.list', 200, { limit: 5 }],
  ['worker.list', 400, { limit: 201 }],
  ['worker.create', 404, { runtimeId, intent: 'x', profile: 'none:none' }],
  ['worker.create', 501, { runtimeId: 'local', intent: 'x' }],
  ['worker.show', 200, { runtimeId: 'local', workerId: greeter }],
  ['worker.show', 404, { runtimeId, workerId: greeter }],
  ['worker.explain', 200, { runtimeId: 'local', workerId: greeter }],
  ['worker.explain', 404, { runtimeId, workerId: greeter }],
  ['worker.state', 200, { runtimeId: 'local', workerId: greeter }],
  ['worker.state', 404, { runtimeId, workerId: greeter }],
  ['worker.show', 400, { runtimeId, workerId: 'no id' }],
  ['worker.events', 400, { runtimeId, workerId: 'no id' }],
  ['worker.events', 404, { runtimeId, workerId: 'none' }],
];

async function expect(name: OperationName, status: number, values?: Values): Promise<HttpAnswer> {
  const answer = await call(name, values);
  assert.equal(answer.status, status, `${name}: ${answer.text}`);
  declared.check(name, answer);
  return answer;
}

async function walkDeadLetter(): Promise<void> {
  // Nobody waits for it: what a caller was told of is no dead letter where the service does not come back.
  await expect('ingress.publish', 200, { plugin: lab, event: work({ do: 'exit', code: 7 }) });
  const newest = async (): Promise<{ id: string } | undefined> =>
    ((await expect('deadLetter.list', 200, { plugin: lab })).json['deadLetters'] as { id: string }[])[0];
  for (
    const deadline = performance.now() + 20_000;
    (await newest()) === undefined;
    await new Promise((resolve) => setTimeout(resolve, 10))
  )
    assert.ok(performance.now() < deadline);
  const letter = await newest();
  await expect('deadLetter.show', 200, { plugin: lab, id: letter?.id });
  await expect('deadLetter.replay', 200, { plugin: lab, ids: [letter?.id] });
  await expect('deadLetter.discard', 200, { plugin: lab });
}

async function walkWorker(): Promise<void> {
  const { json } = await expect('worker.create', 200, { runtimeId, intent: 'x', profile: 'test.profiles:lab' });
  const worker = { runtimeId, workerId: json['workerId'] };
  await expect('worker.input', 200, { ...worker, content: '{"do":"hang"}', inputId: 'one' });
  await expect('worker.input', 400, { ...worker, content: 'other', inputId: 'one' });
  await expect('worker.input', 413, { ...worker, content: 'x'.repeat(100_000) });
  await expect('worker.transcript', 200, worker);
  await expect('worker.transcript', 400, { ...worker, limit: 1000 });
  await expect('worker.explain', 200, worker);
  await expect('worker.state', 200, worker);
  await expect('worker.cancel', 200, worker);
  await expect('worker.stop', 200, worker);
  await expect('worker.show', 200, worker);
  await expect('worker.input', 409, { ...worker, content: 'x' });
}

test("each operation's answers, successes and refusals, are of the shape the document gives them", async () => {
  for (const [name, status, values] of walk) await expect(name, status, values);
  await walkDeadLetter();
  await walkWorker();
  const silent = operationNames.filter(
    (name) =>
      operations[name].stream !== true &&
      name !== 'daemon.shutdown' &&
      // They need a NATS server to succeed: test/cluster has one.
      !name.startsWith('cluster.') &&
      !declared.seen.has(`${name} 200`),
  );
  assert.deepEqual(silent, [], 'no operation is left out');
});

/** Those that would end the daemon or its plugins, or answer for ever. */
const left: readonly OperationName[] = [
  'daemon.shutdown',
  'plugin.unload',
  'plugin.load',
  ...operationNames.filter((name) => operations[name].stream === true),
];
const anyValue = fc.oneof(
  fc.constantFrom<unknown>(
    greeter,
    lab,
    primes.plugin,
    'primes',
    'nobody',
    'NO ID',
    '',
    'x'.repeat(300),
    '../..',
    '%',
    0,
    -1,
    1,
    5000,
    1e300,
    true,
    null,
    [],
    {},
    ['a'],
    { below: 10 },
    event({ name: 'Ada' }),
  ),
  fc.string({ maxLength: 20 }),
);

test('whatever is sent to an operation, the answer is one that the document declares', async () => {
  const anyCall = fc.constantFrom(...operationNames.filter((name) => !left.includes(name))).chain((name) => {
    const keys = [...Object.keys(operations[name].params.shape), 'unknown'];
    return fc.tuple(
      fc.constant(name),
      fc.record(Object.fromEntries(keys.map((key) => [key, anyValue])), { requiredKeys: [] }),
    );
  });
  await fc.assert(
    fc.asyncProperty(anyCall, async ([name, values]) => {
      // A deadline of any length would be waited for.
      declared.check(
        name,
        await call(name, 'timeoutMs' in operations[name].params.shape ? { ...values, timeoutMs: 300 } : values),
      );
    }),
    { numRuns: 400 },
  );
});

test('a refused stream is a problem, and an accepted one a stream', async () => {
  declared.check('events.subscribe', await ask(socket, 'HEAD', '/api/events'));
  declared.check('events.subscribe', await ask(socket, 'GET', '/api/events?topics=none'));
  declared.check('events.subscribe', await ask(socket, 'GET', '/api/events?plugin=nobody'));
});

test('what the port for browsers answers is declared, its own refusals too', async () => {
  const link = await call('browser.link');
  const { origin } = new URL(String(link.json['url']));
  const over = async (name: OperationName, path: string, init: RequestInit = {}): Promise<number> => {
    const answer = await fetch(`${origin}${path}`, init);
    const text = await answer.text();
    declared.check(name, {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      text,
      json: JSON.parse(text) as Record<string, unknown>,
    });
    return answer.status;
  };
  const bearer = (secret: string): RequestInit => ({
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
  });
  const workers = `/api/runtimes/${runtimeId}/workers`;
  assert.equal(await over('runtime.list', '/api/runtimes'), 401);
  assert.equal(await over('runtime.list', '/api/runtimes', bearer(readToken)), 200);
  assert.equal(
    await over('worker.create', workers, { ...bearer(readToken), method: 'POST', body: '{"intent":"x"}' }),
    403,
  );
  assert.equal(await over('worker.create', workers, { ...bearer(token), method: 'POST', body: '{"intent":"x"}' }), 200);
  assert.equal(await over('worker.list', '/api/workers', bearer(token)), 200);
  assert.equal(await over('worker.show', `${workers}/none`, bearer(token)), 404);
});
