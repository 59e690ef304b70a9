// ctx.state in a real cell of either kind: what an event writes is kept if it is handled, forgotten if it fails, and
// had by every later incarnation and daemon.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Isolation } from '../../protocol/manifest.ts';
import { counter, counterPlugin, stateDaemon } from './state-plugin.ts';
import { refusal } from './service-lab.ts';
import { until } from './until.ts';

export function stateCases(isolation: Isolation): void {
  test(`${isolation}: what handled events write is kept, and what failed ones write is not`, async (t) => {
    const { deliver, publish, state, client } = await stateDaemon(t, counterPlugin(t, { isolation }).folder);
    assert.deepEqual(await state(), {});
    assert.equal(await deliver({ do: 'add' }), 1);
    await assert.rejects(deliver({ do: 'addThrow' }), refusal('dispatch_failed'));
    await assert.rejects(deliver({ do: 'addUnanswerable' }), refusal('dispatch_failed'));
    assert.equal(await deliver({ do: 'get' }), 1);
    await publish({ do: 'add' }, { do: 'addOnce' }, { do: 'add' }, { do: 'addThrow' }, { do: 'add' });
    await until('all are settled', async () => {
      const { counters } = await client.call('service.status', { plugin: counter });
      return counters.handled + counters.failed + counters.deadLettered === counters.enqueued;
    });
    // The third delivery of the event that always throws is a dead letter.
    assert.deepEqual(await state(), { count: 5 });
    const { bytes } = await client.call('service.state', { plugin: counter });
    assert.equal(bytes, 'count'.length + '5'.length);
    assert.deepEqual((await client.call('service.status', { plugin: counter })).state, {
      bytes,
      maxBytes: 1024 * 1024,
    });
  });

  test(`${isolation}: an event whose cell ends, or is ended, changes nothing until it is handled`, async (t) => {
    const { deliver, publish, state } = await stateDaemon(t, counterPlugin(t, { isolation }).folder);
    await publish({ do: 'add' }, { do: 'addExit' }, { do: 'add' }, { do: 'addHang' }, { do: 'add' });
    await until('all are handled', async () => (await state())['count'] === 5, 30_000);
    assert.equal(await deliver({ do: 'get' }), 5);
  });

  test(`${isolation}: a cell that ends at any point between what an event wrote and its end being known counts it once`, async (t) => {
    const { publish, deliver, state } = await stateDaemon(t, counterPlugin(t, { isolation }).folder);
    const steps = [-1, 0, 1, 2, 3, 4, 5, 6];
    for (const at of steps) await publish({ do: 'add' }, { do: 'addExitAfter', steps: at }, { do: 'add' });
    const expected = steps.length * 3;
    await until('all are handled', async () => Number((await state())['count']) >= expected, 60_000);
    assert.equal(await deliver({ do: 'get' }), expected);
    assert.deepEqual(await state(), { count: expected });
  });

  test(`${isolation}: values are the caller's own, keys are ordered, and only JSON is taken`, async (t) => {
    const { deliver, state } = await stateDaemon(t, counterPlugin(t, { isolation }).folder);
    await deliver({ do: 'set', key: 'b', value: { n: 1 } });
    await deliver({ do: 'set', key: 'a/%é', value: [1, 'two', null] });
    await deliver({ do: 'set', key: '__proto__', value: { polluted: true } });
    assert.deepEqual(await deliver({ do: 'mutate', key: 'b' }), { n: 1 });
    assert.deepEqual(await deliver({ do: 'keys' }), ['__proto__', 'a/%é', 'b']);
    assert.deepEqual(Object.keys(await state()).sort(), ['__proto__', 'a/%é', 'b']);
    assert.equal(await deliver({ do: 'delete', key: 'b' }), true);
    assert.equal(await deliver({ do: 'delete', key: 'b' }), false);
    assert.equal(await deliver({ do: 'get', key: 'b' }), null);
    const undefinedValue = (await deliver({ do: 'trySet', key: 'b' })) as { message: string };
    assert.match(undefinedValue.message, /write ctx\.state\.delete/);
    const longKey = (await deliver({ do: 'trySet', key: 'k'.repeat(257), value: 1 })) as { message: string };
    assert.match(longKey.message, /a text of 1 to 256 bytes/);
  });

  test(`${isolation}: more than limits.stateBytes is refused to the plugin, and what is there can be made smaller`, async (t) => {
    const { deliver } = await stateDaemon(t, counterPlugin(t, { isolation }).folder, {
      config: { limits: { stateBytes: 2000 } },
    });
    assert.equal(await deliver({ do: 'big', key: 'a', value: 1500 }), 'set');
    const refused = (await deliver({ do: 'big', key: 'b', value: 1500 })) as { code: string; message: string };
    assert.equal(refused.code, 'state_too_large');
    assert.match(refused.message, /limits\.stateBytes allows 2000/);
    await deliver({ do: 'delete', key: 'a' });
    assert.equal(await deliver({ do: 'big', key: 'b', value: 1500 }), 'set');
  });

  test(`${isolation}: after its event, in stop and by the ctx of start the state is read-only`, async (t) => {
    const { deliver, state, client } = await stateDaemon(t, counterPlugin(t, { isolation }).folder);
    await deliver({ do: 'hold' });
    assert.match(String(await deliver({ do: 'late' })), /can be written only by the ctx of an event/);
    assert.match(String(await deliver({ do: 'own' })), /can be written only by the ctx of an event/);
    await client.call('service.stop', { plugin: counter });
    assert.deepEqual(await state(), {});
  });

  test(`${isolation}: restarts, reloads and the next daemon go on with what was committed`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'nagaya-state-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const plugin = counterPlugin(t, { isolation });
    const first = await stateDaemon(t, plugin.folder, { folder });
    await first.deliver({ do: 'add' });
    await first.client.call('service.restart', { plugin: counter });
    assert.equal(await first.deliver({ do: 'add' }), 2);
    await first.client.call('plugin.reload', { plugin: counter });
    assert.equal(await first.deliver({ do: 'add' }), 3);
    first.daemon.signal('SIGTERM');
    await first.daemon.ended;
    const second = await stateDaemon(t, plugin.folder, { folder });
    assert.equal(await second.deliver({ do: 'add' }), 4);
    assert.deepEqual(await second.state(), { count: 4 });
  });

  for (const reload of ['beside', 'after'] as const) {
    test(`${isolation}: a start may write, and a reload ${reload} the old one loses nothing`, async (t) => {
      const plugin = counterPlugin(t, { isolation, service: { reload } });
      const { deliver, publish, state, client } = await stateDaemon(t, plugin.folder);
      await deliver({ do: 'add' });
      plugin.rewrite("ctx.state.set('starts', (ctx.state.get('starts') ?? 0) + 1);");
      let published = 1;
      for (let round = 1; round <= 3; round += 1) {
        const reloading = client.call('plugin.reload', { plugin: counter });
        for (let burst = 0; burst < 10; burst += 1, published += 5)
          await publish(...Array.from({ length: 5 }, () => ({ do: 'add' })));
        await reloading;
        await until('all are handled', async () => (await state())['count'] === published, 30_000);
      }
      assert.deepEqual(await state(), { count: published, starts: 3 });
      assert.equal(await deliver({ do: 'add' }), published + 1);
    });
  }

  test(`${isolation}: what a start that fails has written is forgotten`, async (t) => {
    const plugin = counterPlugin(t, { isolation });
    const { deliver, state, client } = await stateDaemon(t, plugin.folder);
    await deliver({ do: 'add' });
    plugin.rewrite("ctx.state.set('starts', 1); throw new Error('planned');");
    await assert.rejects(client.call('plugin.reload', { plugin: counter }), refusal('start_failed'));
    assert.equal(await deliver({ do: 'add' }), 2);
    assert.deepEqual(await state(), { count: 2 });
  });
}
