// Making workers: the runtime chooses the id, a repeated request makes no second one, and there is a bound to all of
// it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusal, runtimeLab, settled } from '../labs/runtime-lab.ts';

const runtimeId = 'backend-internal';
const uuidv7Form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("a worker gets an id of the runtime's, the default profile, and the name it asked for only to be read", async () => {
  const { create } = runtimeLab();
  const worker = await create({ requestedName: 'My helper', intent: 'help me' });
  assert.match(worker.workerId, uuidv7Form);
  assert.deepEqual(
    [worker.displayName, worker.intent, worker.profile, worker.state],
    ['My helper', 'help me', 'builtin:default', 'idle'],
  );
  assert.deepEqual(worker.transcript, { firstSequence: 1, totalItems: 0, keptItems: 0, keptBytes: 0 });
  assert.deepEqual(worker.implementation, { kind: 'embedded', isolation: 'thread', incarnation: 0 });
});

test('a named profile that does not exist is refused with those that do', async () => {
  const { create } = runtimeLab();
  assert.equal((await create({ profile: 'lab.plugin:chat' })).profile, 'lab.plugin:chat');
  const { code, details, message } = await refusal(() => create({ profile: 'lab.plugin:chatt' }));
  assert.deepEqual([code, details['profiles']], ['profile_not_found', ['builtin:default', 'lab.plugin:chat']]);
  assert.match(message, /runtime\.show/);
});

test('the same request key with the same body gives the same worker, with another it is refused', async () => {
  const { registry, create } = runtimeLab();
  const [one, two] = await Promise.all([
    create({ requestKey: 'k', requestedName: 'n' }),
    create({ requestKey: 'k', requestedName: 'n' }),
  ]);
  assert.equal(one.workerId, two.workerId);
  assert.equal((await registry.list())[0]?.workers.total, 1);
  for (const other of [
    { requestedName: 'm' },
    {},
    { requestedName: 'n', intent: 'another' },
    { requestedName: 'n', profile: 'builtin:default' },
  ]) {
    const { code, details } = await refusal(() => create({ requestKey: 'k', ...other }));
    assert.deepEqual([code, (details['issues'] as { path: string }[])[0]?.path], ['invalid_request', 'requestKey']);
  }
});

test('only so many request keys are remembered', async () => {
  const { create } = runtimeLab({ limits: { workerKeys: 2 } });
  const first = await create({ requestKey: 'a' });
  await create({ requestKey: 'b' });
  await create({ requestKey: 'c' });
  assert.notEqual((await create({ requestKey: 'a' })).workerId, first.workerId);
});

test("names and intents beyond their bounds are refused by the bound's name", async () => {
  const { create } = runtimeLab({ limits: { workerNameLength: 5, workerIntentLength: 20 } });
  assert.equal((await refusal(() => create({ requestedName: '123456' }))).details['limit'], 'limits.workerNameLength');
  assert.equal((await refusal(() => create({ intent: 'x'.repeat(21) }))).code, 'payload_too_large');
});

test('at the bound the one that stopped or failed longest ago is forgotten; where there is none the runtime is full', async () => {
  const lab = runtimeLab({ limits: { workers: 2 } });
  const { registry, create } = lab;
  const first = await create({ requestKey: 'first' });
  const second = await create();
  const { code, details } = await refusal(create);
  assert.deepEqual([code, details['maximum']], ['runtime_full', 2]);

  let ended = false;
  await registry.subscribe({ runtimeId, workerId: first.workerId }, { push: () => true, ended: () => (ended = true) });
  await registry.stop({ runtimeId, workerId: first.workerId });
  const third = await create();
  assert.equal(
    (await refusal(() => registry.worker({ runtimeId, workerId: first.workerId }))).code,
    'worker_not_found',
  );
  assert.ok(ended, 'whoever followed it is told');
  assert.ok(lab.program(first.workerId).closed, 'its program is closed');
  assert.equal((await registry.list())[0]?.diagnostics[0]?.code, 'workers_forgotten');

  await registry.input({ runtimeId, workerId: second.workerId }, { kind: 'user', content: 'x' });
  await settled();
  lab.program(second.workerId).current?.end('cell_crashed');
  await settled();
  // A worker that was forgotten is not brought back by its key: there is another one.
  const again = await create({ requestKey: 'first' });
  assert.notEqual(again.workerId, first.workerId);
  const { workers } = await registry.workers({ limit: 10 });
  assert.deepEqual(
    workers.map(({ workerId }) => workerId),
    [third.workerId, again.workerId],
  );
});
