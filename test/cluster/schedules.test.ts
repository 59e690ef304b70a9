// The schedule of a service of which one instance lives: each run is made once, however late the service moves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Member, noServer, startMember, startNats } from '../labs/nats-lab.ts';
import { holderOf, plugin } from '../labs/placed-plugin.ts';
import { makesRuns, writeScheduled } from '../labs/schedule-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

/** What is older may be accepted once more. Longer than a move takes: a run may be on its way when it begins. */
const shortDedupeMs = 3000;
const longerRuns = 5;
test('a schedule of a service that moves makes no run twice, however late it moves', { skip: noServer }, async (t) => {
  const folder = await temporaryFolder(t);
  const plugins = [writeScheduled(folder, plugin, 'one')];
  const nats = await startNats(t);
  const config = { limits: { dedupeMs: shortDedupeMs } };
  const start = (name: string): Promise<Member> => startMember(t, nats, name, { plugins, config });
  // The one without the service knows since when the schedule is declared, and of no run.
  const members = await Promise.all([start('one'), start('two')]);
  const first = await holderOf(members);
  const [other] = members.filter((member) => member !== first);
  assert.ok(other !== undefined);
  await makesRuns(first, folder, longerRuns);
  await first.client.call('cluster.drain', {});
  await makesRuns(other, folder);
});
