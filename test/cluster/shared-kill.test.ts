// A member that shares a service and is killed: its partitions and their events go to the others.
import { test } from 'node:test';
import { type Member, noServer as skip, shortLease, startMember, startNats } from '../labs/nats-lab.ts';
import { plugin, writePlacedPlugin } from '../labs/placed-plugin.ts';
import { allEnded, assertInOrder, publishAll, spread } from '../labs/shared-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

test('the partitions of a member that is killed go to the others, with their events in order', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const plugins = [writePlacedPlugin(folder, { id: plugin, placement: 'shared' })];
  const nats = await startNats(t);
  const start = (name: string): Promise<Member> => startMember(t, nats, name, { plugins, config: shortLease });
  const [one, two] = await Promise.all([start('one'), start('two')]);
  await spread([one, two], { one: 4, two: 4 });
  await publishAll([one, two], 0, 120, { waitMs: 20 });
  two.daemon.signal('SIGKILL');
  await two.daemon.ended;
  await publishAll([one], 120, 180);
  await spread([one], { one: 8 });
  await allEnded(folder, 180);
  assertInOrder(folder);
});
