// A service with the placement `each` has an instance on every member, and each of them gets what is published on any.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Member, noServer as skip, shortLease, startMember, startNats } from '../labs/nats-lab.ts';
import { journalIn, number, plugin, statusOf, writePlacedPlugin } from '../labs/placed-plugin.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { untilAnswer } from '../labs/until.ts';

const runs = (member: Member) =>
  untilAnswer(
    `an instance on ${member.name}`,
    () => statusOf(member),
    ({ lifecycle, placement }) => lifecycle === 'running' && placement?.waits === null,
  );

const endedOn = (folder: string, { daemon }: Member): number[] =>
  journalIn(folder)
    .filter(({ what, pid }) => what === 'ended' && pid === daemon.pid)
    .map(({ n }) => n ?? 0);

test('each member handles what is published on any, and what came while it was gone', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const plugins = [writePlacedPlugin(folder, { id: plugin, placement: 'each' })];
  const nats = await startNats(t);
  const start = (name: string, more: object = {}): Promise<Member> =>
    startMember(t, nats, name, { plugins, config: shortLease, ...more });
  const [one, two, bare] = await Promise.all([start('one'), start('two'), start('bare', { plugins: [] })]);
  for (const member of [one, two]) await runs(member);
  for (const member of [one, two])
    await untilAnswer(
      'each sees the other as one with an instance',
      () => member.client.call('cluster.status', {}),
      ({ members }) => members.filter(({ services }) => services.some(({ fence }) => fence !== null)).length === 2,
    );
  for (const [index, { client }] of [one, two, bare].entries())
    await client.call('ingress.publish', { plugin, event: number(index) });
  for (const member of [one, two])
    await untilAnswer(
      `all on ${member.name}`,
      () => Promise.resolve(endedOn(folder, member)),
      (ended) => [0, 1, 2].every((n) => ended.includes(n)),
    );
  assert.equal((await statusOf(one)).placement?.member, 'one');
  two.daemon.signal('SIGKILL');
  await two.daemon.ended;
  await one.client.call('ingress.publish', { plugin, event: number(3) });
  await untilAnswer(
    'it goes on',
    () => Promise.resolve(endedOn(folder, one)),
    (ended) => ended.includes(3),
  );
  const back = await start('two', { folder: two.daemon.folder });
  await untilAnswer(
    'what it missed',
    () => Promise.resolve(endedOn(folder, back)),
    (ended) => ended.includes(3),
  );
});

test('a member with an instance whose queue is full is named', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const gate = `${folder}/gate`;
  const plugins = [writePlacedPlugin(folder, { id: plugin, placement: 'each', queue: { capacity: 2 } })];
  const nats = await startNats(t);
  const one = await startMember(t, nats, 'one', { plugins });
  await runs(one);
  const publish = (n: number): Promise<unknown> =>
    one.client.call('ingress.publish', { plugin, event: number(n, { gate }) });
  await publish(1);
  await publish(2);
  await assert.rejects(() => publish(3), { code: 'queue_full', message: /^The member one does not have the event: / });
});
