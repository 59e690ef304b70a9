// Workers outlive the daemon: what was answered or told is there again, what ran ended once, what waited runs, and
// nothing runs twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Limits } from '../../daemon/config/schema.ts';
import type { TranscriptItem, WorkerEvent } from '../../protocol/runtime.ts';
import { MemoryStore } from '../labs/memory-store.ts';
import { type RuntimeLab, refusal, runtimeLab, settled } from '../labs/runtime-lab.ts';

const runtimeId = 'backend-internal';
const ends = new Set(['done', 'failed', 'cancelled']);

/** The next daemon, on what the one before left on the disk; without `closing` that one is killed. */
function next(lab: RuntimeLab, options: { limits?: Partial<Limits>; resumed?: boolean } = {}): RuntimeLab {
  return runtimeLab({ store: lab.store.restarted(), ...options });
}

async function opened(lab: RuntimeLab): Promise<RuntimeLab> {
  await settled();
  await settled();
  return lab;
}

async function transcript(lab: RuntimeLab, workerId: string): Promise<TranscriptItem[]> {
  const page = await lab.registry.transcript({ runtimeId, workerId }, 0, 200);
  return page.items;
}

const input = (lab: RuntimeLab, workerId: string, content: string, inputId?: string) =>
  lab.registry.input({ runtimeId, workerId }, { kind: 'user', content, inputId });

const textOf = ({ role, content, status }: TranscriptItem): string => `${role} ${status ?? ''} ${content}`;

test('a worker has its transcript, its name and its keys again after a restart, and is idle', async () => {
  const lab = runtimeLab();
  const { workerId } = await lab.create({ requestKey: 'once', requestedName: 'Ada' });
  const first = await input(lab, workerId, 'Hello', 'in-1');
  await settled();
  lab.program(workerId).given[0]?.say('Good day');
  lab.program(workerId).given[0]?.end('done');
  await settled();
  const before = await transcript(lab, workerId);
  const after = await opened(next(lab));
  assert.deepEqual(await transcript(after, workerId), before);
  const view = await after.registry.worker({ runtimeId, workerId });
  assert.deepEqual([view.state, view.displayName, view.inputs.pending], ['idle', 'Ada', 0]);
  assert.deepEqual(await input(after, workerId, 'Hello', 'in-1'), first, 'the same input is answered as before');
  assert.equal((await refusal(async () => await input(after, workerId, 'Else', 'in-1'))).code, 'invalid_request');
  assert.equal((await after.create({ requestKey: 'once', requestedName: 'Ada' })).workerId, workerId);
  assert.deepEqual((await input(after, workerId, 'And now?')).sequence, 3, 'sequences go on');
  await settled();
  assert.deepEqual(
    after.program(workerId).given.map((given) => [given.input.content, given.input.history.length]),
    [['And now?', 2]],
  );
});

test('what ran when the daemon was killed ends once as interrupted, and what waited runs in order', async () => {
  const lab = runtimeLab();
  const { workerId } = await lab.create();
  for (const content of ['one', 'two', 'three']) await input(lab, workerId, content);
  await settled();
  lab.program(workerId).given[0]?.say('half of');
  await settled();
  const after = await opened(next(lab));
  const program = after.program(workerId);
  assert.deepEqual(
    program.given.map((given) => given.input.content),
    ['two'],
  );
  program.given[0]?.end('done');
  await settled();
  program.given[1]?.end('done');
  await settled();
  assert.deepEqual(
    program.given.map((given) => given.input.content),
    ['two', 'three'],
  );
  const items = await transcript(after, workerId);
  const failed = items.filter(({ status }) => status === 'failed');
  assert.equal(failed.length, 1);
  assert.match(failed[0]?.content ?? '', /^interrupted: /);
  assert.equal(failed[0]?.eventId, items[0]?.eventId);
  const last = await opened(next(after));
  assert.deepEqual(await transcript(last, workerId), items, 'and it is told once');
  assert.equal(last.program(workerId).given.length, 0);
});

test('a daemon that ends in order interrupts what runs and keeps what waits', async () => {
  const lab = runtimeLab();
  const { workerId } = await lab.create();
  await input(lab, workerId, 'one');
  await input(lab, workerId, 'two');
  await settled();
  lab.program(workerId).given[0]?.say('half of');
  await lab.registry.close(1000);
  const before = await transcript(lab, workerId);
  assert.deepEqual(
    before.map((item) => item.status),
    [undefined, undefined, 'partial', 'failed'],
  );
  const after = await opened(next(lab));
  assert.deepEqual((await transcript(after, workerId)).slice(0, 4), before);
  assert.deepEqual(
    after.program(workerId).given.map((given) => given.input.content),
    ['two'],
  );
});

test('waiting inputs begin only when the plugins are there', async () => {
  const lab = runtimeLab();
  const { workerId } = await lab.create();
  await input(lab, workerId, 'one');
  await input(lab, workerId, 'two');
  const after = await opened(next(lab, { resumed: false }));
  await after.embedded.open();
  assert.equal((await after.registry.worker({ runtimeId, workerId })).state, 'busy');
  await settled();
  assert.equal(after.program(workerId).given.length, 0);
  await after.embedded.resume();
  await settled();
  assert.equal(after.program(workerId).given[0]?.input.content, 'two');
});

test('before the kept workers are read nobody is told that there is none, and no request makes a second one', async () => {
  const lab = runtimeLab();
  const { workerId } = await lab.create({ requestKey: 'once' });
  const { embedded, registry, create } = await opened(next(lab, { resumed: false }));
  const unread = { code: 'runtime_unavailable' };
  await assert.rejects(async () => await registry.worker({ runtimeId, workerId }), unread);
  await assert.rejects(async () => await create({ requestKey: 'once' }), unread);
  await assert.rejects(async () => await registry.workers({ runtimeId, limit: 10 }), unread);
  const all = await registry.workers({ limit: 10 });
  assert.deepEqual(all.leftOut.unavailable, [{ runtimeId, code: 'runtime_unavailable' }]);
  await embedded.open();
  assert.equal((await create({ requestKey: 'once' })).workerId, workerId);
  await assert.rejects(async () => await registry.worker({ runtimeId, workerId: 'none' }), {
    code: 'worker_not_found',
  });
});

test('a stopped worker stays stopped, readable, and takes nothing', async () => {
  const lab = runtimeLab();
  const { workerId } = await lab.create();
  await input(lab, workerId, 'one', 'in-1');
  await input(lab, workerId, 'two');
  await lab.registry.stop({ runtimeId, workerId });
  await settled();
  const before = await transcript(lab, workerId);
  const after = await opened(next(lab));
  assert.deepEqual(await transcript(after, workerId), before);
  assert.deepEqual(before.filter(({ status }) => ends.has(status ?? '')).length, 2);
  assert.equal((await refusal(async () => await input(after, workerId, 'three'))).code, 'worker_stopped');
  assert.equal((await input(after, workerId, 'one', 'in-1')).sequence, 1);
});

test('cursors go on: who has all goes on without a gap, and who was cut off is told of it', async () => {
  const lab = runtimeLab();
  const { workerId } = await lab.create();
  const address = { runtimeId, workerId };
  await input(lab, workerId, 'one');
  await settled();
  const killed = (await lab.registry.events(address, { limit: 100, waitMs: 0 })).next;
  lab.program(workerId).given[0]?.end('done');
  await settled();
  await lab.registry.close(1000);
  const told = await lab.registry.events(address, { after: killed, limit: 100, waitMs: 0 });
  const inOrder = await opened(next(lab));
  await input(inOrder, workerId, 'two');
  await settled();
  const types = async (each: RuntimeLab, after: string): Promise<string[]> =>
    (await each.registry.events(address, { after, limit: 100, waitMs: 0 })).events.map((event: WorkerEvent) =>
      event.type === 'diagnostic' ? event.code : event.type,
    );
  assert.deepEqual(await types(inOrder, told.next), ['item', 'state'], 'behind the last event of an orderly end');
  assert.deepEqual(await types(inOrder, killed), ['cursor_expired', 'snapshot', ...[]].slice(0, 2));
  const seen = (await inOrder.registry.events(address, { limit: 100, waitMs: 0 })).next;
  const afterKill = await opened(next(inOrder));
  assert.deepEqual((await types(afterKill, seen)).slice(0, 2), ['cursor_expired', 'snapshot'], 'after a kill');
  const other = (await afterKill.create()).workerId;
  assert.deepEqual(
    (await afterKill.registry.events({ runtimeId, workerId: other }, { after: seen, limit: 1, waitMs: 0 })).events.map(
      (event) => event.type === 'diagnostic' && event.code,
    )[0],
    'cursor_foreign',
  );
});

test('the bounds hold on disk, and a step writes little however long the transcript is', async () => {
  const lab = runtimeLab({ limits: { transcriptItems: 10, workerKeys: 5, workers: 2 } });
  const { workerId } = await lab.create();
  lab.program(workerId).onInput = (given) => {
    given.say('x'.repeat(1000));
    given.end('done');
  };
  for (let at = 0; at < 30; at += 1) {
    await input(lab, workerId, `input ${String(at)}`, `in-${String(at)}`);
    await settled();
  }
  assert.ok((lab.store.tables.get('worker-items')?.size ?? 0) <= 12);
  assert.ok((lab.store.tables.get('worker-keys')?.size ?? 0) <= 6);
  assert.equal(lab.store.tables.get('worker-inputs')?.size, 0);
  const largest = Math.max(
    ...lab.store.commits.map((changes) =>
      changes.reduce((sum, change) => sum + (change.op === 'put' ? change.value.length : 0), 0),
    ),
  );
  assert.ok(largest < 2500, `${String(largest)} bytes in one step`);
  const after = await opened(next(lab, { limits: { transcriptItems: 4, workers: 2 } }));
  assert.equal((await transcript(after, workerId)).length, 4, 'a smaller bound holds for what was kept');
  await after.registry.stop({ runtimeId, workerId });
  await after.create();
  await after.create();
  assert.equal(
    (await refusal(async () => await after.registry.worker({ runtimeId, workerId }))).code,
    'worker_not_found',
  );
  for (const name of ['workers', 'worker-items', 'worker-inputs', 'worker-keys'])
    assert.ok(
      ![...(after.store.tables.get(name)?.keys() ?? [])].some((key) => key.startsWith(workerId)),
      `nothing of a forgotten worker stands in ${name}`,
    );
});

test('a worker that is not wanted is not read', async () => {
  const lab = runtimeLab();
  const { workerId } = await lab.create();
  await input(lab, workerId, 'one');
  await settled();
  lab.program(workerId).given[0]?.end('done');
  await settled();
  const after = await opened(next(lab));
  assert.throws(() => after.program(workerId), /no program/);
  const [summary] = (await after.registry.workers({ limit: 10 })).workers;
  assert.deepEqual([summary?.workerId, summary?.state], [workerId, 'idle']);
});

for (const [fate, code] of [
  ['full', 'storage_full'],
  ['failed before', 'storage_failed'],
  ['failed after', 'storage_failed'],
] as const) {
  test(`a store that does not take it (${fate}): nothing is accepted, what runs ends, and all is written later`, async () => {
    const lab = runtimeLab();
    const { workerId } = await lab.create();
    await input(lab, workerId, 'one');
    await input(lab, workerId, 'two');
    await settled();
    lab.store.fate = () => fate;
    assert.equal(
      (await refusal(async () => await lab.create())).code,
      code,
      'a worker that cannot be kept is not made',
    );
    assert.equal((await refusal(async () => await input(lab, workerId, 'three', 'in-3'))).code, code);
    const program = lab.program(workerId);
    program.given[0]?.say('said');
    program.given[0]?.end('done');
    await settled();
    assert.deepEqual((await transcript(lab, workerId)).map(textOf), ['user  one', 'user  two', 'worker done said']);
    assert.equal(program.given.length, 1, 'the next one begins when that can be written');
    const { diagnostics } = await lab.registry.worker({ runtimeId, workerId });
    assert.ok(diagnostics.some((diagnostic) => diagnostic.code === code));
    lab.store.fate = () => 'done';
    lab.store.reopen();
    await opened(lab);
    assert.equal(program.given.length, 2);
    program.given[1]?.end('done');
    await settled();
    assert.equal((await input(lab, workerId, 'three', 'in-3')).state, 'accepted', 'the id of what was refused is free');
    await settled();
    program.given[2]?.end('done');
    await settled();
    const before = await transcript(lab, workerId);
    const after = await opened(next(lab));
    assert.deepEqual(await transcript(after, workerId), before);
    assert.equal(
      (await after.registry.workers({ limit: 10 })).workers.length,
      1,
      'nothing of what was refused is left',
    );
  });
}

test('a worker that cannot be written is tried again by itself', async () => {
  const lab = runtimeLab();
  const { workerId } = await lab.create();
  await input(lab, workerId, 'one');
  await settled();
  let refused = 0;
  lab.store.fate = () => {
    refused += 1;
    return refused <= 1 ? 'full' : 'done';
  };
  lab.program(workerId).given[0]?.end('done');
  for (const byMs = performance.now() + 20_000; refused < 2 && performance.now() < byMs;)
    await new Promise((resolve) => setTimeout(resolve, 20));
  await settled();
  const after = await opened(next(lab));
  assert.deepEqual((await transcript(after, workerId)).at(-1)?.status, 'done');
});

test('a damaged value costs itself, and the other workers nothing', async () => {
  const lab = runtimeLab();
  const ids: string[] = [];
  for (let at = 0; at < 4; at += 1) {
    const { workerId } = await lab.create();
    ids.push(workerId);
    await input(lab, workerId, 'one');
    await settled();
    lab.program(workerId).given[0]?.end('done');
    await settled();
  }
  const [item = '', birth = '', head = '', whole = ''] = ids;
  await input(lab, head, 'runs');
  await input(lab, head, 'waits');
  const keys = (table: string, id: string): string[] =>
    [...(lab.store.tables.get(table)?.keys() ?? [])]
      .filter((key) => key.startsWith(id))
      .map((key) => `${table} ${key}`);
  lab.store.damaged.add(keys('worker-items', item)[0] ?? '');
  lab.store.damaged.add(`workers ${birth}/birth`);
  lab.store.damaged.add(`workers ${head}/head`);
  lab.store.damaged.add(keys('worker-inputs', head)[1] ?? '');
  const after = await opened(next(lab));
  assert.deepEqual((await transcript(after, whole)).map(textOf), ['user  one', 'worker done ']);
  assert.deepEqual((await transcript(after, item)).map(textOf), [
    'host failed This item is damaged on disk and is lost.',
    'worker done ',
  ]);
  assert.deepEqual((await transcript(after, birth)).map(textOf), ['user  one', 'worker done ']);
  assert.equal((await after.registry.worker({ runtimeId, workerId: birth })).state, 'stopped');
  await settled();
  assert.deepEqual(
    after.program(head).given.map((given) => given.input.content),
    ['waits'],
    'of an input that may have begun it is assumed that it has; one that waited is taken from the transcript',
  );
  assert.equal(after.noted.length, 3);
  const told = after.logged.filter(({ message }) => message.includes('damaged')).length;
  assert.equal(told, 3);
  after.program(head).given[0]?.end('done');
  await settled();
  const again = await opened(next(after));
  await Promise.all(ids.map((id) => transcript(again, id)));
  assert.equal(again.noted.length, 0, 'what was damaged is repaired, and told once');
});

test('workers are there as soon as a store that could not be read can be', async () => {
  const lab = runtimeLab();
  const { workerId } = await lab.create();
  await input(lab, workerId, 'one');
  await input(lab, workerId, 'two');
  const store = lab.store.restarted();
  store.unreadable = true;
  const after = await opened(runtimeLab({ store }));
  await assert.rejects(async () => await after.registry.workers({ runtimeId, limit: 10 }), {
    code: 'runtime_unavailable',
  });
  store.unreadable = false;
  store.reopen();
  await opened(after);
  assert.equal((await after.registry.workers({ runtimeId, limit: 10 })).workers.length, 1);
  assert.equal(after.program(workerId).given[0]?.input.content, 'two');
});

test('the same input twice at once waits for the first one, and runs once', async () => {
  const store = new MemoryStore();
  const lab = runtimeLab({ store });
  const { workerId } = await lab.create();
  const both = await Promise.all([input(lab, workerId, 'one', 'in-1'), input(lab, workerId, 'one', 'in-1')]);
  assert.deepEqual(both[0], both[1]);
  const made = await Promise.all([lab.create({ requestKey: 'k' }), lab.create({ requestKey: 'k' })]);
  assert.equal(made[0].workerId, made[1].workerId);
});
