// Another member takes a `one` service over when its member is killed, stopped or cut off.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostError } from '../../protocol/errors.ts';
import { noServer, shortLease, startMember, startNats } from '../labs/nats-lab.ts';
import { holderOf, journalIn, number, plugin, statusOf, writePlacedPlugin } from '../labs/placed-plugin.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { untilAnswer } from '../labs/until.ts';

const skip = noServer;

test('when its member is killed another takes over, and no accepted event is lost', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const plugins = [writePlacedPlugin(folder, { id: plugin, queue: { capacity: 1000 } })];
  const nats = await startNats(t);
  const members = await Promise.all(
    ['one', 'two'].map((name) => startMember(t, nats, name, { plugins, config: shortLease })),
  );
  const holder = await holderOf(members);
  const other = members.find((member) => member !== holder);
  assert.ok(other !== undefined);
  const events = Array.from({ length: 300 }, (_, n) => number(n, { waitMs: 5 }));
  const answer = await other.client.call('ingress.publish', { plugin, events });
  assert.ok('results' in answer && answer.results.every(({ accepted }) => accepted));
  await untilAnswer(
    'some that ended',
    () => Promise.resolve(journalIn(folder)),
    (lines) => lines.some(({ n }) => n === 20),
  );
  holder.daemon.signal('SIGKILL');
  const killedMs = Date.now();
  const all = await untilAnswer(
    'all ended',
    () => Promise.resolve(journalIn(folder)),
    (lines) => new Set(lines.filter(({ what }) => what === 'ended').map(({ n }) => n)).size === 300,
  );
  const began = all.find(({ what, pid }) => what === 'started' && pid === other.daemon.pid);
  t.diagnostic(`another instance ran ${String((began?.at ?? 0) - killedMs)} ms after the kill`);
  await untilAnswer(
    'the other has it',
    () => statusOf(other),
    ({ placement }) => (placement?.fence ?? 0) > 1 && placement?.waits === null,
  );
});

test('a member that was stopped and wakes acknowledges nothing under its old number', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const plugins = [writePlacedPlugin(folder, { id: plugin })];
  const nats = await startNats(t);
  const members = await Promise.all(
    ['one', 'two'].map((name) => startMember(t, nats, name, { plugins, config: shortLease })),
  );
  const holder = await holderOf(members);
  const other = members.find((member) => member !== holder);
  assert.ok(other !== undefined);
  await other.client.call('ingress.publish', { plugin, event: number(1, { waitMs: 1500 }) });
  await untilAnswer(
    'it began',
    () => Promise.resolve(journalIn(folder)),
    (lines) => lines.some(({ what }) => what === 'began'),
  );
  holder.daemon.signal('SIGSTOP');
  await untilAnswer(
    'the other runs',
    () => statusOf(other),
    ({ placement }) => placement?.waits === null,
  );
  await untilAnswer(
    'the other has handled it',
    () => statusOf(other),
    ({ counters }) => counters.handled === 1,
  );
  holder.daemon.signal('SIGCONT');
  const woken = await untilAnswer(
    'its cell is ended',
    () => statusOf(holder),
    ({ lifecycle, placement }) => lifecycle === 'stopped' && placement?.member === other.name,
  );
  assert.equal(woken.counters.handled, 0);
  await other.client.call('ingress.publish', { plugin, event: number(2) });
  await untilAnswer(
    'the next one',
    () => Promise.resolve(journalIn(folder)),
    (lines) => lines.some(({ what, n }) => what === 'ended' && n === 2),
  );
});

test('while the server is away the service waits and says why, and goes on by itself', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const plugins = [writePlacedPlugin(folder, { id: plugin })];
  const nats = await startNats(t);
  const member = await startMember(t, nats, 'one', { plugins, config: shortLease });
  await holderOf([member]);
  await member.client.call('ingress.publish', { plugin, event: number(1) });
  await untilAnswer(
    'the first',
    () => statusOf(member),
    ({ counters }) => counters.handled === 1,
  );
  await nats.stop();
  const waiting = await untilAnswer(
    'it waits',
    () => statusOf(member),
    ({ placement }) => placement?.waits !== null,
  );
  assert.match(waiting.placement?.waits ?? '', /NATS server/);
  await assert.rejects(
    () => member.client.call('ingress.publish', { plugin, event: number(2) }),
    (error: HostError) => error.code === 'cluster_unavailable',
  );
  await nats.start();
  await holderOf([member]);
  await member.client.call('ingress.publish', { plugin, event: number(3) });
  // The first may come again: a server that is killed may forget an acknowledgement.
  await untilAnswer(
    'the next',
    () => Promise.resolve(journalIn(folder)),
    (lines) => lines.some(({ what, n }) => what === 'ended' && n === 3),
  );
});
