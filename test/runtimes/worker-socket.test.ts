// Workers through the real socket of a real daemon, in both its languages, with programs in real cells.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Client } from '../../protocol/client/client.ts';
import { errorKinds } from '../../protocol/errors.ts';
import type { TranscriptItem, WorkerEvent } from '../../protocol/runtime.ts';
import { ask } from '../labs/http-client.ts';
import { refusal } from '../labs/runtime-lab.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';

const runtimeId = 'backend-internal';
const lab = fileURLToPath(new URL('../fixtures/profiles/lab', import.meta.url));
const ends = new Set(['done', 'failed', 'cancelled']);

interface Scene {
  readonly daemon: TestDaemon;
  readonly client: Client;
  create(profile?: string): Promise<{ runtimeId: string; workerId: string }>;
}

async function scene(t: TestContext, config: object = {}): Promise<Scene> {
  const daemon = await startTestDaemon(t, { plugins: [lab], config, env: { LAB_SECRET: 'a-planted-secret' } });
  const client = await daemon.connect();
  return {
    daemon,
    client,
    async create(profile) {
      const { workerId } = await client.call('worker.create', {
        runtimeId,
        intent: 'to be tested',
        ...(profile === undefined ? {} : { profile }),
      });
      return { runtimeId, workerId };
    },
  };
}

/** Follows by pages until an input has come to its end. */
async function endOf(
  client: Client,
  address: { runtimeId: string; workerId: string },
  eventId: string,
): Promise<TranscriptItem> {
  const deadline = performance.now() + 30_000;
  let after: string | undefined;
  while (performance.now() < deadline) {
    const page: { events: WorkerEvent[]; next: string } = await client.call('worker.events', {
      ...address,
      waitMs: 1000,
      ...(after === undefined ? {} : { after }),
    });
    after = page.next;
    const { items } = await client.call('worker.transcript', address);
    const end = items.find((item) => item.eventId === eventId && ends.has(item.status ?? ''));
    if (end !== undefined) return end;
  }
  throw new Error('the input came to no end');
}

test('a worker without a profile acknowledges its input, and says so in transcript and events alike', async (t) => {
  const { client, create, daemon } = await scene(t);
  const address = await create();
  const { next } = await client.call('worker.events', address);
  const { eventId, sequence, state } = await client.call('worker.input', { ...address, content: 'hello there' });
  assert.deepEqual([state, sequence], ['accepted', 1]);
  const end = await endOf(client, address, eventId);
  assert.deepEqual([end.role, end.status], ['worker', 'done']);
  assert.match(end.content, /hello there/);
  const { events } = await client.call('worker.events', { ...address, after: next });
  assert.equal(events.flatMap((event) => (event.type === 'output' ? [event.text] : [])).join(''), end.content);
  const { counts } = await client.call('daemon.status', {});
  assert.deepEqual([counts.workers, counts.workersBusy, counts.workerCells], [1, 0, 1]);
  const http = await ask(
    daemon.socket,
    'GET',
    `/api/runtimes/${runtimeId}/workers/${address.workerId}/transcript?start=2&limit=1`,
  );
  assert.equal((http.json['items'] as TranscriptItem[])[0]?.content, end.content);
});

test('a program that crashes costs its input alone: a typed entry, nothing of its words, and the next one runs', async (t) => {
  const { client, create } = await scene(t);
  const address = await create('test.profiles:lab');
  const give = (order: object): Promise<{ eventId: string }> =>
    client.call('worker.input', { ...address, content: JSON.stringify(order) });
  const crash = await give({ do: 'exit' });
  const leak = await give({ do: 'secret' });
  const echo = await give({ do: 'echo', text: 'alive' });
  const [crashed, leaked, answered] = [
    await endOf(client, address, crash.eventId),
    await endOf(client, address, leak.eventId),
    await endOf(client, address, echo.eventId),
  ];
  assert.deepEqual(
    [crashed.role, crashed.status, crashed.content],
    ['host', 'failed', `cell_crashed: ${errorKinds.cell_crashed.meaning}`],
  );
  assert.deepEqual(
    [leaked.role, leaked.status, leaked.content],
    ['host', 'failed', `dispatch_failed: ${errorKinds.dispatch_failed.meaning}`],
  );
  assert.deepEqual([answered.status, answered.content], ['done', 'alive']);
  const worker = await client.call('worker.show', address);
  assert.deepEqual([worker.state, worker.implementation.incarnation], ['idle', 2]);
  assert.deepEqual(
    worker.diagnostics.map(({ code }) => code),
    ['cell_crashed', 'dispatch_failed'],
  );
});

test('a program that overruns or is cancelled in an endless loop ends, and the worker goes on', async (t) => {
  const { client, create } = await scene(t, {
    plugins: { overrides: { 'test.profiles': { profiles: { lab: { timeoutMs: 1500 } } } } },
  });
  const address = await create('test.profiles:lab');
  const give = (order: object): Promise<{ eventId: string }> =>
    client.call('worker.input', { ...address, content: JSON.stringify(order) });
  const overrun = await endOf(client, address, (await give({ do: 'loop' })).eventId);
  assert.match(overrun.content, /^dispatch_timeout: /);
  const loop = await give({ do: 'loop' });
  assert.equal((await client.call('worker.cancel', address)).changed, true);
  assert.equal((await endOf(client, address, loop.eventId)).status, 'cancelled');
  const late = await client.call('worker.cancel', { ...address, eventId: loop.eventId });
  assert.deepEqual([late.changed, late.eventId], [false, loop.eventId]);
  assert.equal((await client.call('worker.show', address)).state, 'cancelled');
  assert.equal((await endOf(client, address, (await give({ do: 'echo', text: 'alive' })).eventId)).content, 'alive');
  await give({ do: 'loop' });
  const waiting = await give({ do: 'echo', text: 'never' });
  assert.equal((await client.call('worker.stop', address)).state, 'stopped');
  assert.equal((await endOf(client, address, waiting.eventId)).status, 'cancelled');
  assert.equal((await refusal(() => give({ do: 'echo' }))).code, 'worker_stopped');
});

test('every refusal has its own status over HTTP, and never 200', async (t) => {
  const { client, create, daemon } = await scene(t, { limits: { workers: 1 } });
  const { workerId } = await create();
  const runtime = `/api/runtimes/${runtimeId}`;
  const worker = `${runtime}/workers/${workerId}`;
  const long = 'x'.repeat(129);
  const cases: readonly [method: string, path: string, body: object | undefined, status: number, code: string][] = [
    ['GET', '/api/runtimes/nowhere', undefined, 404, 'runtime_not_found'],
    ['GET', '/api/runtimes/a%20b', undefined, 400, 'invalid_identifier'],
    ['GET', `/api/runtimes/${long}/workers`, undefined, 400, 'invalid_identifier'],
    ['GET', `${runtime}/workers/${long}`, undefined, 400, 'invalid_identifier'],
    ['GET', '/api/workers?runtimeId=%2Fetc', undefined, 400, 'invalid_identifier'],
    ['GET', '/api/workers?limit=201', undefined, 400, 'limit_too_large'],
    ['GET', '/api/workers?limit=0', undefined, 400, 'invalid_request'],
    ['GET', '/api/workers?limit=many', undefined, 400, 'invalid_request'],
    ['GET', `${runtime}/workers/nobody`, undefined, 404, 'worker_not_found'],
    ['GET', `/api/runtimes/local/workers/${workerId}`, undefined, 404, 'worker_not_found'],
    ['GET', `${worker}/transcript?limit=201`, undefined, 400, 'limit_too_large'],
    ['GET', `/api/runtimes/${runtimeId}/workers/nobody/events`, undefined, 404, 'worker_not_found'],
    ['POST', `${runtime}/workers`, { intent: 'x', profile: 'no:such' }, 404, 'profile_not_found'],
    ['POST', `${runtime}/workers`, { intent: 'x' }, 429, 'runtime_full'],
    ['POST', `${runtime}/workers`, {}, 400, 'invalid_request'],
    ['POST', `${worker}/input`, { content: 'x'.repeat(70_000) }, 413, 'payload_too_large'],
    ['POST', `${worker}/input`, { content: 'x', inputId: 'not valid' }, 400, 'invalid_request'],
    ['POST', '/api/runtimes/local/workers', { intent: 'x' }, 501, 'unsupported_operation'],
  ];
  for (const [method, path, body, status, code] of cases) {
    const answer = await ask(daemon.socket, method, path, body === undefined ? {} : { body });
    assert.deepEqual(
      [answer.status, answer.json['code'], answer.headers['content-type']?.split(';')[0]],
      [status, code, 'application/problem+json'],
      `${method} ${path}`,
    );
  }
  const tooLarge = await refusal(() => client.call('worker.transcript', { runtimeId, workerId, limit: 1000 }));
  assert.deepEqual([tooLarge.code, tooLarge.details['maximum']], ['limit_too_large', 200]);
  const badId = await refusal(() => client.call('worker.show', { runtimeId: 'a b', workerId }));
  assert.deepEqual(
    [badId.code, badId.details['expected']],
    ['invalid_identifier', '1-128 characters of A-Z a-z 0-9 . _ : -'],
  );
  await client.call('worker.stop', { runtimeId, workerId });
  assert.equal((await ask(daemon.socket, 'POST', `${worker}/input`, { body: { content: 'x' } })).status, 409);
});

test('a shutdown ends workers that ignore it, within its deadline', async (t) => {
  const { client, create, daemon } = await scene(t);
  const address = await create('test.profiles:lab');
  const { next } = await client.call('worker.events', address);
  await client.call('worker.input', { ...address, content: JSON.stringify({ do: 'loop' }) });
  await client.call('worker.events', { ...address, after: next, waitMs: 20_000 });
  const began = performance.now();
  daemon.signal('SIGTERM');
  assert.deepEqual(await daemon.ended, { code: 0, signal: null });
  assert.ok(performance.now() - began < 12_000);
});
