// The daemon as any other program meets it: a process, a socket and bytes. No client code of ours takes part, so that
// the shapes on the wire are held to what is documented and to nothing else.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { type Socket, createConnection } from 'node:net';
import { dirname } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';

const examples = fileURLToPath(new URL('../../examples', import.meta.url));
const lab = fileURLToPath(new URL('../fixtures/services/lab', import.meta.url));

type Answer = {
  id?: unknown;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: {
    code: number;
    message: string;
    data: { code: string; retryable: boolean; details: Record<string, unknown> };
  };
};

/** Lines out, lines in, and nothing else. */
class Wire {
  readonly #socket: Socket;
  readonly #lines: string[] = [];
  #rest = '';
  #wake: (() => void) | undefined;

  constructor(path: string) {
    this.#socket = createConnection(path);
    this.#socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      this.#lines.push(...lines);
      this.#wake?.();
    });
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  async next(): Promise<Answer> {
    const began = Date.now();
    while (this.#lines.length === 0) {
      assert.ok(Date.now() - began < 20_000, 'no answer in 20 s');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 1000);
      });
    }
    return JSON.parse(this.#lines.shift() ?? '') as Answer;
  }

  async ask(method: string, params: object, id: number | string = 1): Promise<Answer> {
    this.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    return this.next();
  }

  close(): void {
    this.#socket.destroy();
  }
}

function wire(t: TestContext, daemon: TestDaemon): Wire {
  const one = new Wire(daemon.socket);
  t.after(() => one.close());
  return one;
}

test('the documented life of a plugin, in bytes: load, start, publish, deliver, status, stop, unload', async (t) => {
  const daemon = await startTestDaemon(t);
  const { ask } = bound(wire(t, daemon));

  const loaded = await ask('plugin.load', { path: lab });
  assert.deepEqual(pick(loaded.result?.['plugin'], 'id', 'version', 'state', 'hasService', 'tools', 'isolation'), {
    id: 'test.lab',
    version: '1.0.0',
    state: 'loaded',
    hasService: true,
    tools: [],
    isolation: 'thread',
  });
  assert.equal((await ask('plugin.load', { path: lab })).error?.data.code, 'plugin_already_loaded');
  assert.equal(((await ask('plugin.list', {})).result?.['plugins'] as unknown[]).length, 1);

  const unstarted = await ask('ingress.publish', { plugin: 'test.lab', event: { ingress: 'work', kind: 'do' } });
  assert.equal(unstarted.error?.data.code, 'service_unavailable');

  const started = await ask('service.start', { plugin: 'test.lab' });
  assert.deepEqual(pick(started.result, 'pluginId', 'lifecycle', 'incarnation', 'isolation'), {
    pluginId: 'test.lab',
    lifecycle: 'running',
    incarnation: 1,
    isolation: 'thread',
  });

  const published = await ask('ingress.publish', {
    plugin: 'test.lab',
    event: { ingress: 'work', kind: 'do', payload: { n: 1 } },
  });
  assert.equal(published.result?.['accepted'], true);
  assert.match(
    String(published.result['correlationId']),
    /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  assert.equal(typeof published.result['queueDepth'], 'number');

  const batch = await ask('ingress.publish', {
    plugin: 'test.lab',
    events: [{ ingress: 'work', kind: 'do', correlationId: 'mine' }, { ingress: 'none', kind: 'do' }, 5],
  });
  const [first, second, third] = batch.result?.['results'] as {
    accepted: boolean;
    correlationId?: string;
    error?: { code: string; message: string; retryable: boolean; details: object };
  }[];
  assert.deepEqual([first?.accepted, first?.correlationId], [true, 'mine']);
  for (const refused of [second, third])
    assert.deepEqual(
      [refused?.accepted, refused?.error?.code, refused?.error?.retryable, typeof refused?.error?.details],
      [false, 'invalid_event', false, 'object'],
    );

  const delivered = await ask('ingress.deliver', {
    plugin: 'test.lab',
    event: { ingress: 'work', kind: 'do', payload: { do: 'echo', value: ['ü', 1] } },
  });
  assert.deepEqual(pick(delivered.result, 'attempt', 'output'), { attempt: 1, output: ['ü', 1] });
  for (const field of ['queuedMs', 'durationMs']) assert.equal(typeof delivered.result?.[field], 'number');

  const failed = await ask('ingress.deliver', {
    plugin: 'test.lab',
    event: { ingress: 'work', kind: 'do', payload: { do: 'throw', what: 'broken' } },
  });
  assert.equal(failed.error?.data.code, 'dispatch_failed');
  assert.match(failed.error.message, /broken/);

  const late = await ask('ingress.deliver', {
    plugin: 'test.lab',
    event: { ingress: 'work', kind: 'do', payload: { do: 'loop' } },
  });
  assert.equal(late.error?.data.code, 'dispatch_timeout');
  assert.equal(
    (await ask('ingress.publish', { plugin: 'test.lab', event: { ingress: 'work', kind: 'do' } })).error?.data.code,
    'service_failed',
  );

  const status = (await ask('service.status', { plugin: 'test.lab' })).result;
  const counters = status?.['counters'] as Record<string, number>;
  assert.equal(status?.['lifecycle'], 'failed');
  assert.equal((status['lastError'] as { code: string }).code, 'service_failed');
  assert.equal(counters['timedOut'], 1);
  assert.equal(
    counters['enqueued'],
    Number(counters['handled']) +
      Number(counters['failed']) +
      Number(counters['discarded']) +
      Number(counters['deadLettered']),
  );

  assert.equal((await ask('service.restart', { plugin: 'test.lab' })).result?.['incarnation'], 2);
  assert.equal((await ask('service.stop', { plugin: 'test.lab' })).result?.['lifecycle'], 'stopped');
  assert.equal(
    (await ask('ingress.publish', { plugin: 'test.lab', event: { ingress: 'work', kind: 'do' } })).error?.data.code,
    'service_stopped',
  );
  assert.deepEqual((await ask('plugin.unload', { plugin: 'test.lab' })).result, {
    plugin: { id: 'test.lab', state: 'unloaded' },
    kept: 0,
    discarded: 0,
  });
  assert.equal((await ask('service.status', { plugin: 'test.lab' })).error?.data.code, 'plugin_not_found');
});

test('a subscriber sees lifecycle changes, failures and counters as they happen', async (t) => {
  const daemon = await startTestDaemon(t, { plugins: [lab], config: { limits: { countersEveryMs: 100 } } });
  const listening = wire(t, daemon);
  const acting = wire(t, daemon);
  const subscribed = await listening.ask('events.subscribe', { plugin: 'test.lab' });
  assert.equal(typeof subscribed.result?.['subscriptionId'], 'string');
  await acting.ask('ingress.deliver', {
    plugin: 'test.lab',
    event: { ingress: 'work', kind: 'do', payload: { do: 'exit', code: 1 } },
  });
  const seen = new Map<string, Record<string, unknown>>();
  while (seen.size < 3) {
    const { method, params } = await listening.next();
    assert.equal(method, 'event');
    const event = params?.['event'] as { topic: string; plugin: string; data: Record<string, unknown> };
    assert.deepEqual(
      [params?.['subscriptionId'], params?.['dropped'], event.plugin],
      [subscribed.result?.['subscriptionId'], 0, 'test.lab'],
    );
    seen.set(event.topic, event.data);
  }
  assert.equal(seen.get('lifecycle')?.['to'], 'failed');
  assert.equal(seen.get('failure')?.['code'], 'cell_crashed');
  assert.equal(typeof seen.get('counters')?.['counters'], 'object');
});

test('tools answer while the only service is stuck, and a closed connection cancels its calls', async (t) => {
  const daemon = await startTestDaemon(t, { plugins: [examples, lab] });
  const { ask } = bound(wire(t, daemon));
  const stuck = wire(t, daemon);
  stuck.write(
    '{"jsonrpc":"2.0","id":1,"method":"ingress.deliver","params":{"plugin":"test.lab","event":{"ingress":"work","kind":"do","payload":{"do":"hang"}}}}\n',
  );
  const called = await ask('tool.call', { plugin: 'example.primes', tool: 'primes', input: { below: 100 } });
  assert.deepEqual(pick(called.result?.['output'], 'count'), { count: 25 });
  assert.equal(typeof called.result?.['durationMs'], 'number');
  const wrong = await ask('tool.call', { plugin: 'example.primes', tool: 'primes', input: {} });
  assert.equal(wrong.error?.data.code, 'tool_input_invalid');
  const listed = (await ask('tool.list', { plugin: 'example.primes' })).result?.['tools'] as object[];
  assert.deepEqual(
    Object.keys(listed[0] ?? {}).filter((key) =>
      ['plugin', 'name', 'description', 'inputSchema', 'isolation', 'timeoutMs'].includes(key),
    ).length,
    6,
  );

  const leaving = new Wire(daemon.socket);
  leaving.write(
    '{"jsonrpc":"2.0","id":1,"method":"tool.call","params":{"plugin":"example.primes","tool":"primes","input":{"below":50000000},"callId":"left-alone"}}\n',
  );
  const pending = async (): Promise<number> =>
    ((await ask('daemon.status', {})).result?.['counts'] as { toolCallsPending: number }).toolCallsPending;
  while ((await pending()) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  leaving.close();
  const began = Date.now();
  while ((await pending()) > 0) {
    assert.ok(Date.now() - began < 10_000, 'the call went on without its caller');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal((await ask('tool.cancel', { callId: 'left-alone' })).result?.['cancelled'], false);
});

test('curl over the same socket: status, events, errors as problem documents, and the OpenAPI document', async (t) => {
  if (spawnSync('curl', ['--version']).error !== undefined) {
    t.skip('curl is not installed here');
    return;
  }
  const daemon = await startTestDaemon(t, { plugins: [lab] });
  const curl = (path: string, ...more: string[]): { status: number; type: string; body: Record<string, unknown> } => {
    const { stdout } = spawnSync(
      'curl',
      [
        '-s',
        '--max-time',
        '20',
        '--unix-socket',
        daemon.socket,
        '-w',
        '\n%{http_code} %{content_type}',
        `http://nagaya${path}`,
        ...more,
      ],
      { encoding: 'utf8' },
    );
    const lines = stdout.split('\n');
    const [status, ...type] = (lines.pop() ?? '').split(' ');
    return {
      status: Number(status),
      type: type.join(' '),
      body: JSON.parse(lines.join('\n')) as Record<string, unknown>,
    };
  };
  const post = (value: object): string[] => ['-H', 'content-type: application/json', '-d', JSON.stringify(value)];
  assert.equal(curl('/api/daemon').body['pid'], daemon.pid);
  assert.equal(curl('/api/services/test.lab').body['lifecycle'], 'running');
  assert.equal(
    curl('/api/services/test.lab/events', ...post({ event: { ingress: 'work', kind: 'do' } })).body['accepted'],
    true,
  );
  const delivered = curl(
    '/api/services/test.lab/deliver',
    ...post({ event: { ingress: 'work', kind: 'do', payload: { do: 'echo', value: 7 } } }),
  );
  assert.deepEqual([delivered.status, delivered.body['output']], [200, 7]);
  const missing = curl('/api/services/nobody');
  assert.deepEqual(
    [missing.status, missing.type, missing.body['code'], missing.body['status']],
    [404, 'application/problem+json', 'plugin_not_found', 404],
  );
  const invalid = curl('/api/services/test.lab/events', ...post({ event: { ingress: 'nowhere', kind: 'do' } }));
  assert.deepEqual([invalid.status, invalid.body['code']], [400, 'invalid_event']);
  assert.equal(curl('/api/openapi.json').body['openapi'], '3.1.0');
});

test('SIGTERM stops services, answers what is pending, removes socket and lock, and exits 0', async (t) => {
  const daemon = await startTestDaemon(t, { plugins: [examples, lab] });
  const pending = wire(t, daemon);
  const folder = dirname(daemon.socket);
  assert.equal(statSync(daemon.socket).mode & 0o777, 0o600);
  await pending.ask('ingress.publish', {
    plugin: 'test.lab',
    event: { ingress: 'work', kind: 'do', payload: { do: 'sleep', ms: 200 } },
  });
  pending.write(
    '{"jsonrpc":"2.0","id":"waiting","method":"ingress.deliver","params":{"plugin":"test.lab","event":{"ingress":"work","kind":"do","payload":{"do":"echo","value":"drained"}}}}\n',
  );
  await pending.ask('daemon.ping', {});
  daemon.signal('SIGTERM');
  const answers = [await pending.next()];
  assert.deepEqual(
    answers.map(({ id, result }) => [id, result?.['output']]),
    [['waiting', 'drained']],
  );
  assert.deepEqual(await daemon.ended, { code: 0, signal: null });
  assert.ok(!existsSync(daemon.socket), 'the socket is still there');
  assert.ok(!existsSync(`${daemon.socket}.lock`), `the lock is still in ${folder}`);
});

test('a second signal ends a daemon whose service does not stop', async (t) => {
  const daemon = await startTestDaemon(t, {
    plugins: [lab],
    config: {
      plugins: { overrides: { 'test.lab': { timeouts: { stopMs: 60_000, handleMs: 60_000 } } } },
      limits: { shutdownMs: 100_000 },
    },
  });
  const { ask } = bound(wire(t, daemon));
  await ask('ingress.publish', { plugin: 'test.lab', event: { ingress: 'work', kind: 'do', payload: { do: 'loop' } } });
  daemon.signal('SIGTERM');
  while ((await ask('daemon.status', {})).result?.['state'] !== 'shutting_down')
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal((await ask('service.start', { plugin: 'test.lab' })).error?.data.code, 'shutting_down');
  daemon.signal('SIGINT');
  assert.deepEqual(await daemon.ended, { code: null, signal: 'SIGKILL' });
  assert.ok(!existsSync(daemon.socket));
});

test("a service that does not stop is ended within the daemon's own deadline", async (t) => {
  const daemon = await startTestDaemon(t, {
    plugins: [lab],
    config: {
      plugins: { overrides: { 'test.lab': { timeouts: { stopMs: 60_000, handleMs: 60_000 } } } },
      limits: { shutdownMs: 3000, killMs: 500 },
    },
  });
  const { ask } = bound(wire(t, daemon));
  await ask('ingress.publish', { plugin: 'test.lab', event: { ingress: 'work', kind: 'do', payload: { do: 'loop' } } });
  const began = Date.now();
  daemon.signal('SIGTERM');
  assert.deepEqual(await daemon.ended, { code: 0, signal: null });
  assert.ok(Date.now() - began < 3000);
});

const bound = (one: Wire): Pick<Wire, 'ask'> => ({ ask: (method, params, id) => one.ask(method, params, id) });

function pick(value: unknown, ...keys: string[]): Record<string, unknown> {
  const from = value as Record<string, unknown>;
  return Object.fromEntries(keys.map((key) => [key, from[key]]));
}
