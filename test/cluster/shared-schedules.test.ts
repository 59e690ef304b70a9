// Schedules of services that several members work on: one member makes the runs of a shared one, and runs that each
// makes are one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Member, noServer, startMember, startNats } from '../labs/nats-lab.ts';
import { plugin } from '../labs/placed-plugin.ts';
import { countersOf, makesRuns, runsIn, writeScheduled } from '../labs/schedule-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until, untilAnswer } from '../labs/until.ts';

const each = 'test.each';

test(
  "a schedule of a shared service is one member's, and runs that two members make are one",
  { skip: noServer },
  async (t) => {
    const folder = await temporaryFolder(t);
    const plugins = [writeScheduled(folder, plugin, 'shared'), writeScheduled(folder, each, 'each')];
    const nats = await startNats(t);
    const members = await Promise.all(['one', 'two'].map((name) => startMember(t, nats, name, { plugins })));
    const first = await holderOfSchedules(members);
    const [other] = members.filter((member) => member !== first);
    assert.ok(other !== undefined);
    await makesRuns(first, folder);
    assert.equal((await countersOf(other, plugin)).received, 0);
    await until('each has runs of both', async () => {
      const counters = await Promise.all(members.map((member) => countersOf(member, each)));
      const pids = runsIn(folder, each).map(([pid]) => pid);
      return new Set(pids).size === 2 && counters.some(({ duplicates }) => duplicates > 1);
    });
    const all = runsIn(folder, each).map((run) => run.join(' '));
    assert.equal(new Set(all).size, all.length, `made twice: ${all.join(', ')}`);
    await first.client.call('cluster.drain', {});
    await makesRuns(other, folder);
  },
);

/** With partition 0. */
async function holderOfSchedules(members: readonly Member[]): Promise<Member> {
  const [one] = members;
  assert.ok(one !== undefined);
  const status = await untilAnswer(
    'the partitions',
    () => one.client.call('service.status', { plugin }),
    ({ placement }) => placement?.partitions?.every(({ fence }) => fence !== null) === true,
  );
  const name = status.placement?.partitions?.[0]?.member;
  const found = members.find((member) => member.name === name);
  assert.ok(found !== undefined);
  return found;
}
