// `worker.explain` tells in sentences how a worker is and what went wrong with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { workerExplanation } from '../../daemon/operations/worker-explanation.ts';
import type { TranscriptItem, WorkerView } from '../../protocol/runtime.ts';

const at = '2026-11-30T12:00:00.000Z';
const nowMs = Date.parse(at) + 65_000;

const view = (changes: Partial<WorkerView> = {}): WorkerView => ({
  runtimeId: 'backend-internal',
  workerId: 'w1',
  displayName: 'w1',
  intent: 'plan the trip',
  profile: 'builtin:default',
  state: 'idle',
  createdAt: at,
  lastActiveAt: at,
  capabilities: {
    canSendInput: true,
    canStopWorker: true,
    canCancelWorker: true,
    canReadTranscript: true,
    canStreamEvents: true,
  },
  implementation: { kind: 'embedded', isolation: 'thread', incarnation: 1 },
  inputs: { pending: 0, capacity: 16, kinds: ['user'], running: null },
  transcript: { firstSequence: 0, totalItems: 2, keptItems: 2, keptBytes: 10 },
  diagnostics: [],
  ...changes,
});

const item = (role: TranscriptItem['role'], more: Partial<TranscriptItem> = {}): TranscriptItem => ({
  sequence: 0,
  role,
  content: 'text',
  eventId: 'e1',
  createdAt: at,
  ...more,
});

test('of a worker that rests it tells since when, what it runs and what it was made for', () => {
  const items = [item('user'), item('worker', { status: 'done' })];
  const [state, said, ...more] = workerExplanation({ worker: view(), items, nowMs });
  assert.match(
    state?.what ?? '',
    /^The worker waits for inputs; it was last active at .* \(1 min 5 s ago\)\. It runs builtin:default in a thread\. It was made for: plan the trip\.$/,
  );
  assert.match(said?.what ?? '', /^Of the newest 2 items of 2 that were said, 1 answer came to the end\.$/);
  assert.deepEqual(more, []);
});

test('what went wrong is told with its reason and a remedy, before what is well', () => {
  const items = [
    item('user'),
    item('host', { status: 'failed', content: 'dispatch_timeout: it took too long' }),
    item('host', { status: 'cancelled' }),
  ];
  const worker = view({
    state: 'failed',
    inputs: { pending: 16, capacity: 16, kinds: ['user'], running: null },
    diagnostics: [{ at, level: 'warn', code: 'cell_ended', message: 'its cell ended' }],
  });
  const told = workerExplanation({ worker, items, nowMs });
  assert.match(told[0]?.what ?? '', /^The newest input of the worker failed/);
  assert.deepEqual(
    told.slice(1).map(({ level }) => level),
    ['error', 'warn', 'warn', 'info', 'info'],
  );
  assert.equal(told[1]?.why, 'dispatch_timeout: it took too long.');
  assert.match(told[1]?.remedy ?? '', /nagaya worker transcript backend-internal\/w1/);
  assert.ok(told.every(({ what }) => /^[A-Z0-9].*[.:]$/.test(what)));
});

test('of a worker that handles an input it tells which and for how long, and of a service where more is told', () => {
  const busy = view({ state: 'busy', inputs: { pending: 0, capacity: 16, kinds: ['user'], running: 'e1' } });
  const [, running] = workerExplanation({ worker: busy, items: [item('user')], nowMs });
  assert.match(running?.what ?? '', /^It has been at the input e1 since .* \(1 min 5 s\)\.$/);
  assert.match(running?.remedy ?? '', /nagaya worker cancel backend-internal\/w1/);
  const service = view({
    runtimeId: 'local',
    workerId: 'a.b',
    profile: null,
    implementation: { kind: 'local-compatibility', isolation: 'thread', incarnation: 1 },
    transcript: { firstSequence: 0, totalItems: 0, keptItems: 0, keptBytes: 0 },
    capabilities: { ...busy.capabilities, canReadTranscript: false },
  });
  const [state, ...more] = workerExplanation({ worker: service, items: [], nowMs });
  assert.match(state?.remedy ?? '', /nagaya explain a\.b/);
  assert.deepEqual(more, []);
});
