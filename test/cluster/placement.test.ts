// Of a service with the placement `one`, one instance lives among the members, wherever events are published.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostError } from '../../protocol/errors.ts';
import { noServer, startMember, startNats } from '../labs/nats-lab.ts';
import { holderOf, journalIn, number, plugin, statusOf, writePlacedPlugin } from '../labs/placed-plugin.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { untilAnswer } from '../labs/until.ts';

const skip = noServer;

test('one instance runs, and takes what is published on any member', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const plugins = [writePlacedPlugin(folder, { id: plugin })];
  const nats = await startNats(t);
  const members = await Promise.all(['one', 'two', 'three'].map((name) => startMember(t, nats, name, { plugins })));
  const holder = await holderOf(members);
  for (const [index, { client }] of members.entries()) {
    const answer = await client.call('ingress.publish', { plugin, event: number(index) });
    assert.ok('accepted' in answer && answer.accepted);
  }
  const handled = await untilAnswer(
    'three handled',
    () => statusOf(holder),
    ({ counters }) => counters.handled === 3,
  );
  const fence = handled.placement?.fence;
  const promises = { events: 'at_least_once', state: 'exactly_once', commands: 'at_least_once' };
  assert.deepEqual(handled.placement, { placement: 'one', member: holder.name, fence, waits: null, promises });
  for (const member of members.filter((one) => one !== holder)) {
    const { lifecycle, placement } = await untilAnswer(
      'another that waits',
      () => statusOf(member),
      (status) => status.placement?.fence === fence,
    );
    assert.notEqual(lifecycle, 'running');
    const waits = `the member ${holder.name} has it`;
    assert.deepEqual(placement, { placement: 'one', member: holder.name, fence, waits, promises });
  }
  const seen = await untilAnswer(
    'the service in the list of members',
    () => holder.client.call('cluster.status', {}),
    ({ members: all }) => all.some(({ services }) => services.some(({ lifecycle }) => lifecycle === 'running')),
  );
  assert.deepEqual(seen.members.find(({ member }) => member === holder.name)?.services, [
    { plugin, placement: 'one', lifecycle: 'running', fence },
  ]);
  assert.deepEqual(new Set(journalIn(folder).map(({ pid }) => pid)), new Set([holder.daemon.pid]));
});

test('deliver is answered by the instance, from any member and from one without the plugin', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const plugins = [writePlacedPlugin(folder, { id: plugin })];
  const nats = await startNats(t);
  const [one, two, bare] = await Promise.all([
    startMember(t, nats, 'one', { plugins }),
    startMember(t, nats, 'two', { plugins }),
    startMember(t, nats, 'bare'),
  ]);
  const holder = await holderOf([one, two]);
  for (const { client } of [one, two, bare]) {
    const { output } = await untilAnswer(
      'an answer',
      () =>
        client
          .call('ingress.deliver', { plugin, event: number(7) })
          .catch((error: HostError) => ({ output: null, why: [error.code, error.message] })),
      (answer) => answer.output !== null,
    );
    assert.deepEqual(output, { n: 7, pid: holder.daemon.pid });
  }
  const answer = await bare.client.call('ingress.publish', { plugin, event: number(8) });
  assert.ok('accepted' in answer && answer.accepted);
  await assert.rejects(
    () => bare.client.call('ingress.deliver', { plugin, event: number(9, { waitMs: 60_000 }), timeoutMs: 300 }),
    (error: HostError) => error.code === 'dispatch_timeout',
  );
});

test('a drained member gives its service away in order, and a stopped one is not taken again', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const plugins = [writePlacedPlugin(folder, { id: plugin })];
  const nats = await startNats(t);
  const members = await Promise.all(['one', 'two'].map((name) => startMember(t, nats, name, { plugins })));
  const holder = await holderOf(members);
  const other = members.find((member) => member !== holder);
  assert.ok(other !== undefined);
  await holder.client.call('cluster.drain', {});
  await untilAnswer(
    'the other runs',
    () => statusOf(other),
    ({ placement }) => placement?.waits === null,
  );
  await holder.client.call('cluster.drain', { undo: true });
  await other.client.call('service.stop', { plugin });
  await untilAnswer(
    'the first runs again',
    () => statusOf(holder),
    ({ placement }) => placement?.waits === null,
  );
  assert.match((await statusOf(other)).placement?.waits ?? '', /stopped on this member/);
});
