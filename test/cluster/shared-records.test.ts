// Dead letters and commands of several partitions in one list, each kept where its event belongs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LeaseTime, StoredRecord, ToCluster } from '../../protocol/cluster/messages.ts';
import { type Change, keysUnder, put, remove, removeRange, storeKey } from '../../protocol/store/change.ts';
import { Partition } from '../../daemon/cluster/partition.ts';
import { SharedRecords } from '../../daemon/cluster/shared-records.ts';

const plugin = 'test.one';
const hourMs = 3_600_000;
/** Longer than the test. */
const until = (): LeaseTime => ({
  monotonicMs: Number(process.hrtime.bigint()) / 1e6 + hourMs,
  wallMs: Date.now() + hourMs,
});

class Lab {
  readonly posted: { readonly unit: string; readonly changes: readonly Change[] }[] = [];
  readonly partitions = [0, 1].map(
    (number) =>
      new Partition({
        plugin,
        number,
        post: (message) => this.#post(message),
        failed: () => undefined,
        roomy: () => undefined,
      }),
  );
  readonly records = new SharedRecords({
    plugin,
    held: () => this.partitions.filter(({ isHeld }) => isHeld),
    partitionOf: (eventId) => this.partitions[eventId.startsWith('b') ? 1 : 0],
  });

  take(number: number, fence: number, found: readonly StoredRecord[]): void {
    const partition = this.partitions[number] as Partition;
    partition.granted({ fence, until: until() }, undefined);
    this.records.rebuild(new Map([[partition, found]]));
  }

  #post(message: ToCluster): void {
    if (message.type !== 'record') return;
    this.posted.push({ unit: message.plugin, changes: message.changes });
    setImmediate(() => {
      for (const partition of this.partitions) partition.recorded({ type: 'recorded', id: message.id, refusal: null });
    });
  }

  async shown(table: string): Promise<string[]> {
    const shown: string[] = [];
    for await (const { entries } of this.records.kept.pages({ table, ...keysUnder(plugin), limit: 100 }))
      for (const { key, value } of entries) shown.push(`${key} ${Buffer.from(value).toString()}`);
    return shown;
  }
}

const key = (place: number): string => storeKey(plugin, place);
const command = (eventId: string, place: number): string => JSON.stringify({ eventId, place });

test('what two members have put at one place stands at two here, and a command knows its own', async (t) => {
  const lab = new Lab();
  t.after(() => lab.partitions.forEach((partition) => partition.close()));
  lab.take(0, 1, [{ table: 'commands', key: storeKey(plugin, 1, 'x'), value: command('a1', 7) }]);
  lab.take(1, 2, [{ table: 'commands', key: storeKey(plugin, 1, 'x'), value: command('b1', 7) }]);
  assert.deepEqual(await lab.shown('commands'), [`${key(1)} ${command('a1', 1)}`, `${key(2)} ${command('b1', 2)}`]);
});

test('each is written into the partition of its event, and stays there as a dead letter', async (t) => {
  const lab = new Lab();
  t.after(() => lab.partitions.forEach((partition) => partition.close()));
  lab.take(0, 1, []);
  lab.take(1, 5, []);
  await lab.records.commit([put('commands', key(1), command('a1', 1)), put('commands', key(2), command('b1', 2))]);
  await lab.records.commit([remove('commands', key(2)), put('command-letters', key(2), command('?', 2))]);
  assert.deepEqual(
    lab.posted.map(({ unit, changes }) => [unit, changes.map(({ op, table }) => `${op} ${table}`)]),
    [
      ['test.one/_0', ['put commands']],
      ['test.one/_1', ['put commands']],
      ['test.one/_1', ['put command-letters', 'remove commands']],
    ],
  );
  assert.deepEqual(await lab.shown('commands'), [`${key(1)} ${command('a1', 1)}`]);
});

test('a list that is written whole keeps what it holds and loses the rest', async (t) => {
  const lab = new Lab();
  t.after(() => lab.partitions.forEach((partition) => partition.close()));
  lab.take(0, 1, []);
  const letter = (id: string): string => JSON.stringify({ id, eventId: 'a1' });
  await lab.records.commit([put('letters', key(1), letter('x')), put('letters', key(2), letter('y'))]);
  assert.equal(lab.records.partitionOfLetter('y'), lab.partitions[0]);
  await lab.records.commit([removeRange('letters', keysUnder(plugin)), put('letters', key(2), letter('y'))]);
  assert.deepEqual(await lab.shown('letters'), [`${key(2)} ${letter('y')}`]);
  assert.deepEqual(
    lab.posted.at(-1)?.changes.map(({ op }) => op),
    ['put', 'remove'],
  );
});

test('a partition that is not held any more takes what is kept of it with it', async (t) => {
  const lab = new Lab();
  t.after(() => lab.partitions.forEach((partition) => partition.close()));
  lab.take(0, 1, []);
  lab.take(1, 1, []);
  await lab.records.commit([put('commands', key(1), command('a1', 1)), put('commands', key(2), command('b1', 2))]);
  lab.partitions[1]?.giveUp('another member gets it');
  lab.records.rebuild(new Map());
  assert.deepEqual(await lab.shown('commands'), [`${key(1)} ${command('a1', 1)}`]);
});
