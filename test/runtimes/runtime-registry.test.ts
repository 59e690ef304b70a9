// The registry: a worker is found only in the runtime that was named, and a runtime that does not answer neither hides
// nor slows the others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Runtime, WorkerSlice } from '../../daemon/runtimes/runtime.ts';
import type { WorkerSummary, WorkerView } from '../../protocol/runtime.ts';
import { refusal, runtimeLab, settled } from '../labs/runtime-lab.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

const at = '2030-01-01T00:00:00.000Z';
const never = new Promise<never>(() => {});

const summary = (runtimeId: string, workerId: string): WorkerSummary => ({
  runtimeId,
  workerId,
  displayName: 'other',
  intent: '',
  profile: null,
  state: 'idle',
  createdAt: at,
  lastActiveAt: at,
});

/** A runtime of another kind of place: it has these workers, and answers by promise, or not at all. */
class OtherRuntime implements Pick<
  Runtime,
  'runtimeId' | 'displayName' | 'kind' | 'capabilities' | 'report' | 'list' | 'show' | 'close'
> {
  readonly displayName = 'Other';
  readonly kind = 'local-compatibility';
  readonly capabilities = {
    canListWorkers: true,
    canShowWorker: true,
    canCreateWorker: false,
    canSendInput: false,
    canStopWorker: false,
    canCancelWorker: false,
    canReadTranscript: false,
    canStreamEvents: false,
    maxWorkers: 9,
  };
  readonly runtimeId: string;
  readonly ids: readonly string[];
  hanging = false;
  asked = 0;

  constructor(runtimeId: string, ids: readonly string[]) {
    this.runtimeId = runtimeId;
    this.ids = ids;
  }

  async report(): Promise<Awaited<ReturnType<Runtime['report']>>> {
    this.asked += 1;
    if (this.hanging) await never;
    return {
      status: 'running',
      workers: { total: this.ids.length, idle: this.ids.length, busy: 0, stopped: 0, failed: 0 },
      diagnostics: [],
    };
  }

  async list(after: string | undefined, limit: number): Promise<WorkerSlice> {
    this.asked += 1;
    if (this.hanging) await never;
    const behind = this.ids.filter((id) => after === undefined || id > after);
    return { workers: behind.slice(0, limit).map((id) => summary(this.runtimeId, id)), more: behind.length > limit };
  }

  async show(workerId: string): Promise<WorkerView> {
    if (this.hanging) await never;
    return { ...summary(this.runtimeId, workerId), displayName: 'from the other' } as WorkerView;
  }

  async close(): Promise<void> {}
}

const asRuntime = (other: OtherRuntime): Runtime => other as unknown as Runtime;

test('the same worker id in two runtimes is two workers, and a right one under the wrong runtime is not found', async () => {
  const { registry, create } = runtimeLab();
  const { workerId } = await create({ requestedName: 'ours' });
  const other = new OtherRuntime('elsewhere', [workerId]);
  registry.add(asRuntime(other));
  registry.add(asRuntime(new OtherRuntime('empty', [])));
  assert.equal((await registry.worker({ runtimeId: 'backend-internal', workerId })).displayName, 'ours');
  assert.equal((await registry.worker({ runtimeId: 'elsewhere', workerId })).displayName, 'from the other');
  assert.equal(
    (await refusal(() => registry.worker({ runtimeId: 'backend-internal', workerId: 'not-there' }))).code,
    'worker_not_found',
  );
  assert.equal((await refusal(() => registry.worker({ runtimeId: 'nowhere', workerId }))).code, 'runtime_not_found');
});

test('a display name addresses nothing', async () => {
  const { registry, create } = runtimeLab();
  await create({ requestedName: 'a-name' });
  assert.equal(
    (await refusal(() => registry.worker({ runtimeId: 'backend-internal', workerId: 'a-name' }))).code,
    'worker_not_found',
  );
});

test('what a runtime does not do is refused by its capabilities', async () => {
  const { registry } = runtimeLab();
  registry.add(asRuntime(new OtherRuntime('elsewhere', ['w'])));
  const address = { runtimeId: 'elsewhere', workerId: 'w' };
  for (const attempt of [
    () => registry.create('elsewhere', { intent: 'x' }),
    () => registry.input(address, { kind: 'user', content: 'x' }),
    () => registry.stop(address),
    () => registry.cancel(address, { eventId: 'any' }),
    () => registry.transcript(address, 0, 1),
    () => registry.events(address, { limit: 1, waitMs: 0 }),
    () => registry.subscribe(address, { push: () => true }),
  ]) {
    const { code, details } = await refusal(attempt);
    assert.deepEqual([code, details['kind']], ['unsupported_operation', 'local-compatibility']);
  }
});

test('a runtime that hangs costs the readers of lists one deadline, once, and is shown as unavailable', async () => {
  const clock = new VirtualClock();
  const { registry, create } = runtimeLab({ clock, limits: { runtimeMs: 1000 } });
  const { workerId } = await create();
  const other = new OtherRuntime('elsewhere', ['w']);
  registry.add(asRuntime(other));
  other.hanging = true;

  const first = registry.list();
  await settled();
  clock.advance(1000);
  assert.deepEqual(
    (await first).map(({ runtimeId, status }) => [runtimeId, status]),
    [
      ['backend-internal', 'running'],
      ['elsewhere', 'unavailable'],
    ],
  );

  // Time stands still from here on: nobody waits for it again.
  const [, shown] = await registry.list();
  assert.deepEqual([shown?.status, shown?.diagnostics[0]?.code], ['unavailable', 'runtime_unavailable']);
  const page = await registry.workers({ limit: 10 });
  assert.deepEqual(
    page.workers.map((worker) => worker.workerId),
    [workerId],
  );
  assert.deepEqual(page.leftOut, { unavailable: [{ runtimeId: 'elsewhere', code: 'runtime_unavailable' }], more: [] });
  assert.ok(other.asked <= 3, 'it is asked aside, one question at a time');

  const direct = refusal(() => registry.worker({ runtimeId: 'elsewhere', workerId: 'w' }));
  await settled();
  clock.advance(1000);
  assert.equal((await direct).code, 'runtime_unavailable');

  other.hanging = false;
  await registry.list();
  await settled();
  assert.equal((await registry.list())[1]?.status, 'running', 'it answered aside, and is there again');
});

test('a runtime that always answers late slows one list and no more', async () => {
  const clock = new VirtualClock();
  const { registry } = runtimeLab({ clock, limits: { runtimeMs: 1000 } });
  const other = new OtherRuntime('elsewhere', []);
  const report = await other.report();
  registry.add(
    Object.assign(asRuntime(other), {
      report: () => new Promise((resolve) => void clock.after(1500, () => resolve(report))),
    }),
  );
  const first = registry.list();
  await settled();
  clock.advance(1000);
  assert.equal((await first)[1]?.status, 'unavailable');
  clock.advance(500);
  await settled();
  // Its answer has come by now, and time stands still.
  assert.equal((await registry.list())[1]?.status, 'unavailable');
});

test('a runtime that reports and keeps its profiles to itself is unavailable to who asks for them', async () => {
  const clock = new VirtualClock();
  const { registry } = runtimeLab({ clock, limits: { runtimeMs: 1000 } });
  registry.add(Object.assign(asRuntime(new OtherRuntime('elsewhere', [])), { profiles: () => never }));
  const shown = refusal(() => registry.show('elsewhere'));
  await settled();
  clock.advance(1000);
  assert.equal((await shown).code, 'runtime_unavailable');
});

test('as many calls wait for a runtime as may, and the next is told at once', async () => {
  const clock = new VirtualClock();
  const { registry } = runtimeLab({ clock, limits: { runtimeCalls: 2 } });
  const other = new OtherRuntime('elsewhere', ['w']);
  registry.add(asRuntime(other));
  other.hanging = true;
  const address = { runtimeId: 'elsewhere', workerId: 'w' };
  const waiting = [0, 1].map(() => refusal(() => registry.worker(address)));
  const { code, details } = await refusal(() => registry.worker(address));
  assert.deepEqual([code, details['limit']], ['runtime_unavailable', 'limits.runtimeCalls']);
  clock.advance(60_000);
  assert.deepEqual(
    (await Promise.all(waiting)).map((each) => each.code),
    ['runtime_unavailable', 'runtime_unavailable'],
  );
});

test('a page over all runtimes gives each its share, and the pages together every worker once', async () => {
  const { registry, create } = runtimeLab();
  for (let made = 0; made < 12; made += 1) await create();
  registry.add(asRuntime(new OtherRuntime('elsewhere', ['a', 'b', 'c'])));
  const seen: string[] = [];
  const first = await registry.workers({ limit: 4 });
  assert.deepEqual(
    first.workers.map(({ runtimeId }) => runtimeId),
    ['backend-internal', 'backend-internal', 'elsewhere', 'elsewhere'],
  );
  assert.deepEqual(first.leftOut.more, ['backend-internal', 'elsewhere']);
  for (let page = first; ; page = await registry.workers({ limit: 4, after: page.next ?? '' })) {
    seen.push(...page.workers.map(({ runtimeId, workerId }) => `${runtimeId}/${workerId}`));
    if (page.next === null) break;
  }
  assert.deepEqual([seen.length, new Set(seen).size], [15, 15]);
  const one = await registry.workers({ runtimeId: 'elsewhere', limit: 2 });
  assert.deepEqual([one.workers.map(({ workerId }) => workerId), one.next !== null], [['a', 'b'], true]);
});

test("a list's cursor that nobody gave out is an invalid request", async () => {
  const { registry } = runtimeLab();
  for (const after of ['%%%', 'bm90IGpzb24', Buffer.from('[1]').toString('base64url')]) {
    assert.equal((await refusal(() => registry.workers({ limit: 5, after }))).code, 'invalid_request', after);
  }
});

test('the embedded runtime says of itself nothing but what its shape has, and no place', async () => {
  const { registry } = runtimeLab();
  const [summary] = await registry.list();
  assert.deepEqual(Object.keys(summary ?? {}), [
    'runtimeId',
    'displayName',
    'kind',
    'status',
    'capabilities',
    'workers',
    'diagnostics',
  ]);
  assert.deepEqual([summary?.runtimeId, summary?.kind, summary?.status], ['backend-internal', 'embedded', 'running']);
  assert.doesNotMatch(JSON.stringify(summary), /\/|\.sock|token|http|endpoint/i);
  const { profiles } = await registry.show('backend-internal');
  assert.deepEqual(profiles, [
    { name: 'builtin:default', description: 'builtin:default of the lab' },
    { name: 'lab.plugin:chat', description: 'lab.plugin:chat of the lab' },
  ]);
});
