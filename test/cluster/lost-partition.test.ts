// A member that loses one partition of a shared service: its instance is ended, and what it was handling of the other
// partitions comes again as another attempt.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { numberOf } from '../../daemon/cluster/shared-service.ts';
import { partitionCount, partitionUnit, tokenOf } from '../../protocol/cluster/messages.ts';
import { leaseKey } from '../../workers/cluster/board.ts';
import { noServer as skip, shortLease, startMember, startNats } from '../labs/nats-lab.ts';
import { journalIn, number, plugin, writePlacedPlugin } from '../labs/placed-plugin.ts';
import { spread } from '../labs/shared-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

test(
  'an event that is cut off because another partition is lost comes again as another attempt',
  { skip },
  async (t) => {
    const folder = await temporaryFolder(t);
    const nats = await startNats(t);
    const plugins = [writePlacedPlugin(folder, { id: plugin, placement: 'shared' })];
    const member = await startMember(t, nats, 'one', { plugins, config: shortLease });
    await spread([member], { one: partitionCount });
    const gate = join(folder, 'open');
    const began = (): (number | undefined)[] =>
      journalIn(folder).flatMap(({ what, attempt }) => (what === 'began' ? [attempt] : []));
    const key = 'k';
    await member.client.call('ingress.publish', { plugin, event: { ...number(0, { gate }), key } });
    await until('the event is handled', () => began().length === 1);
    const connection = await connect({ servers: [nats.url] });
    t.after(() => connection.close());
    const board = await new Kvm(connection).open('nagaya-test');
    const other = leaseKey(tokenOf(partitionUnit(plugin, (numberOf(key) + 1) % partitionCount)));
    const taken = { member: 'two', instance: 'i', session: 's', fence: 100, protocol: 1, version: '0.1.0' };
    await board.put(other, JSON.stringify(taken));
    await until('the event is handled again', () => began().length === 2);
    writeFileSync(gate, '');
    await until('it has ended', () => journalIn(folder).some(({ what }) => what === 'ended'));
    assert.deepEqual(began(), [1, 2]);
  },
);
