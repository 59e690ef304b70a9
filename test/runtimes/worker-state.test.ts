// What a worker keeps in `ctx.state`: it is committed with the end of the input that changed it, survives the daemon,
// and goes with the worker.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../daemon/config/schema.ts';
import { type RuntimeLab, runtimeLab, settled } from '../labs/runtime-lab.ts';

const runtimeId = 'backend-internal';
const table = 'worker-states';

async function begun(lab: RuntimeLab, workerId: string): Promise<RuntimeLab> {
  await lab.registry.input({ runtimeId, workerId }, { kind: 'user', content: 'next' });
  await settled();
  return lab;
}

async function kept(lab: RuntimeLab, workerId: string): Promise<unknown> {
  const { json, bytes } = await lab.registry.state({ runtimeId, workerId });
  assert.equal(
    bytes,
    [...(lab.store.tables.get(table) ?? [])].reduce((sum, [key, json]) => sum + bytesOf(key, json), 0),
  );
  return JSON.parse(json);
}

const bytesOf = (key: string, json: string): number => key.split('/').slice(1).join('/').length + json.length;

/** The next daemon, on what a killed one left on the disk. */
async function killed(lab: RuntimeLab): Promise<RuntimeLab> {
  const next = runtimeLab({ store: lab.store.restarted() });
  await settled();
  return next;
}

test('what an input has changed is in the commit of its end, and is given to the next input and the next daemon', async () => {
  const lab = runtimeLab();
  const { workerId } = await lab.create();
  await begun(lab, workerId);
  assert.equal(lab.program(workerId).current?.input.state(), undefined);
  lab.program(workerId).current?.end('done', ['count', '1', 'gone', '"x"']);
  await settled();
  assert.deepEqual(await kept(lab, workerId), { count: 1, gone: 'x' });
  const commits = lab.store.commits.filter((changes) => changes.some((change) => change.table === table));
  assert.equal(commits.length, 1);
  assert.ok(commits[0]?.some((change) => change.table === 'worker-inputs' && change.op === 'remove'));
  await begun(lab, workerId);
  assert.equal(lab.program(workerId).current?.input.state(), '{"count":1,"gone":"x"}');
  lab.program(workerId).current?.end('done', ['count', '2', 'gone', null]);
  await settled();
  const next = await killed(lab);
  assert.deepEqual(await kept(next, workerId), { count: 2 });
  await begun(next, workerId);
  assert.equal(next.program(workerId).current?.input.state(), '{"count":2}');
});

test('an input that is cancelled, fails, or ran when the daemon was killed changes nothing', async () => {
  const lab = runtimeLab();
  const { workerId } = await lab.create();
  await begun(lab, workerId);
  lab.program(workerId).current?.end('done', ['count', '1']);
  await settled();
  for (const how of ['cancelled', 'dispatch_failed'] as const) {
    await begun(lab, workerId);
    lab.program(workerId).current?.end(how);
    await settled();
  }
  await begun(lab, workerId);
  const next = await killed(lab);
  assert.deepEqual(await kept(next, workerId), { count: 1 });
});

test('a crash before the commit of the end has neither the end nor the change, and after it both', async () => {
  for (const fate of ['dies before', 'dies after'] as const) {
    const lab = runtimeLab();
    const { workerId } = await lab.create();
    await begun(lab, workerId);
    lab.store.fate = () => fate;
    lab.program(workerId).current?.end('done', ['count', '1']);
    await settled();
    const next = await killed(lab);
    const { items } = await next.registry.transcript({ runtimeId, workerId }, 0, 10);
    assert.deepEqual(
      [await kept(next, workerId), items.at(-1)?.status],
      fate === 'dies after' ? [{ count: 1 }, 'done'] : [{}, 'failed'],
    );
  }
});

for (const fate of ['full', 'failed before', 'failed after'] as const)
  test(`an end that the store did not take (${fate}) is told with its change, and both are written when it can be`, async () => {
    const lab = runtimeLab();
    const { workerId } = await lab.create();
    await begun(lab, workerId);
    lab.store.fate = () => fate;
    lab.program(workerId).current?.end('done', ['count', '1']);
    await settled();
    assert.deepEqual(JSON.parse((await lab.registry.state({ runtimeId, workerId })).json), { count: 1 });
    lab.store.fate = () => 'done';
    lab.store.reopen();
    await settled();
    const next = await killed(lab);
    assert.deepEqual(await kept(next, workerId), { count: 1 });
  });

test("it goes with its worker, and is no other worker's", async () => {
  const lab = runtimeLab({ limits: { ...limits.parse({}), workers: 2 } });
  const [one, other] = [await lab.create(), await lab.create()];
  for (const [{ workerId }, json] of [
    [one, '1'],
    [other, '2'],
  ] as const) {
    await begun(lab, workerId);
    lab.program(workerId).current?.end('done', ['count', json]);
    await settled();
  }
  assert.deepEqual(JSON.parse((await lab.registry.state({ runtimeId, workerId: one.workerId })).json), { count: 1 });
  await lab.registry.stop({ runtimeId, workerId: one.workerId });
  assert.deepEqual(JSON.parse((await lab.registry.state({ runtimeId, workerId: one.workerId })).json), { count: 1 });
  await lab.create();
  await settled();
  assert.deepEqual([...(lab.store.tables.get(table)?.entries() ?? [])], [[`${other.workerId}/count`, '2']]);
});

test('a value that is damaged on disk is lost alone, and told', async () => {
  const lab = runtimeLab();
  const { workerId } = await lab.create();
  await begun(lab, workerId);
  lab.program(workerId).current?.end('done', ['count', '1', 'other', '2']);
  await settled();
  lab.store.damaged.add(`${table} ${workerId}/count`);
  const next = await killed(lab);
  assert.deepEqual(JSON.parse((await next.registry.state({ runtimeId, workerId })).json), { other: 2 });
  assert.match(next.noted.join(), /1 value could not be read/);
});
