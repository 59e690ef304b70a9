// What a browser is told of workers where the answer is not a plain one: busy, unavailable, cancelled, stopped.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Runtime } from '../../daemon/runtimes/runtime.ts';
import type { RuntimeSummary, TranscriptItem, WorkerPage } from '../../protocol/runtime.ts';
import { openStream, runtimePath, startBrowserLab } from '../labs/browser-lab.ts';
import { until } from '../labs/until.ts';

const never = new Promise<never>(() => {});
const hanging = (): Promise<never> => never;

/** It answers nothing at all. */
const silentRuntime = {
  runtimeId: 'silent',
  displayName: 'Silent',
  kind: 'local-compatibility',
  capabilities: {
    canListWorkers: true,
    canShowWorker: true,
    canCreateWorker: false,
    canSendInput: false,
    canStopWorker: false,
    canCancelWorker: false,
    canReadTranscript: false,
    canStreamEvents: false,
    maxWorkers: 1,
  },
  report: hanging,
  list: hanging,
  show: hanging,
  profiles: hanging,
} as unknown as Runtime;

test('a worker with as many inputs as may wait is 429, and says in its header when to come again', async (t) => {
  const lab = await startBrowserLab(t, { limits: { workerInputs: 1 } });
  const path = `${runtimePath}/workers/${(await lab.create()).workerId}/input`;
  const given = [];
  for (const content of ['runs', 'waits', 'too many']) given.push(await lab.ask('POST', path, { body: { content } }));
  assert.deepEqual(
    given.map(({ status }) => status),
    [200, 200, 429],
  );
  const { json, headers } = given[2] ?? assert.fail();
  const { retryAfterMs } = json['details'] as { retryAfterMs: number };
  assert.deepEqual(
    [json['code'], json['retryable'], headers['content-type']],
    ['worker_busy', true, 'application/problem+json'],
  );
  assert.equal(Number(headers['retry-after']), Math.ceil(retryAfterMs / 1000));
});

test('a runtime that does not answer is 503 to who asks it, and in lists it is named beside what the others hold', async (t) => {
  const lab = await startBrowserLab(t, { limits: { runtimeMs: 200 } });
  lab.registry.add(silentRuntime);
  const { workerId } = await lab.create();
  for (const path of ['/api/runtimes/silent/workers', '/api/runtimes/silent/workers/any']) {
    const { status, json } = await lab.ask('GET', path);
    assert.deepEqual([status, json['code'], json['retryable']], [503, 'runtime_unavailable', true], path);
  }
  const runtimes = (await lab.ask('GET', '/api/runtimes')).json['runtimes'] as RuntimeSummary[];
  assert.deepEqual(
    runtimes.map(({ runtimeId, status }) => [runtimeId, status]),
    [
      ['backend-internal', 'running'],
      ['silent', 'unavailable'],
    ],
  );
  const page = (await lab.ask('GET', '/api/workers')).json as unknown as WorkerPage;
  assert.deepEqual(
    page.workers.map((worker) => worker.workerId),
    [workerId],
  );
  assert.deepEqual(page.leftOut, { unavailable: [{ runtimeId: 'silent', code: 'runtime_unavailable' }], more: [] });
});

test('a cancel and a stop are told in transcript and stream as what they are', async (t) => {
  const lab = await startBrowserLab(t);
  const path = `${runtimePath}/workers/${(await lab.create()).workerId}`;
  const stream = await openStream(t, lab.place, `${path}/events`, { authorization: `Bearer ${lab.token}` });
  const told = (): unknown[] =>
    stream
      .events()
      .flatMap(({ data }) => (data['item'] as TranscriptItem | undefined) ?? [])
      .filter(({ role }) => role === 'host')
      .map(({ content }) => content);
  const give = async (content: string): Promise<void> =>
    assert.equal((await lab.ask('POST', `${path}/input`, { body: { content } })).status, 200);
  await give('cancelled');
  assert.equal((await lab.ask('POST', `${path}/cancel`, { body: {} })).json['changed'], true);
  await until('the cancel is told', () => told().length === 1);
  await give('runs');
  await give('waits');
  await lab.ask('POST', `${path}/stop`, { body: {} });
  await until('the stop is told', () => told().length === 3);
  const expected = [
    'The input was cancelled.',
    'The worker was stopped before it came to this.',
    'The input was cancelled.',
  ];
  assert.deepEqual(told(), expected);
  const items = (await lab.ask('GET', `${path}/transcript`)).json['items'] as TranscriptItem[];
  assert.deepEqual(
    items.filter(({ role }) => role === 'host').map(({ content }) => content),
    expected,
  );
});
