// Dead letters and commands of all partitions that this member holds of a shared service, as one store. Each entry is
// kept in the cluster with the partition of its event. A copy of them is here, because they are read again whenever the
// member has other partitions than before, and because places that other members have given are given again.
import { HostError } from '../../protocol/errors.ts';
import { type Change, put, remove, storeKey } from '../../protocol/store/change.ts';
import type { RangePage } from '../../protocol/store/messages.ts';
import type { StoredRecord } from '../../protocol/cluster/messages.ts';
import type { EntryStore } from '../store/entry-store.ts';
import type { RangeQuery } from '../store/store-reads.ts';
import type { Partition } from './partition.ts';

export interface SharedRecordsDeps {
  readonly plugin: string;
  held(): readonly Partition[];
  /** That of an event; of one that is nobody's, any that is held. Undefined where none is. */
  partitionOf(eventId: string): Partition | undefined;
}

interface Entry {
  readonly partition: Partition;
  /** In the cluster. */
  readonly key: string;
  readonly value: string;
}

/** A command and its dead letter have one place. */
const families: Readonly<Record<string, string>> = {
  letters: 'letters',
  commands: 'commands',
  'command-letters': 'commands',
};

export class SharedRecords implements EntryStore {
  readonly exists = true;
  readonly kept = { pages: (query: RangeQuery): AsyncIterable<RangePage> => this.#pages(query) };
  readonly #deps: SharedRecordsDeps;
  /** By table, and in it by the key that this member knows them by. */
  readonly #tables = new Map(Object.keys(families).map((table) => [table, new Map<string, Entry>()]));
  /** By family and key: what is removed from one table may come into the other. */
  readonly #places = new Map<string, { readonly partition: Partition; readonly key: string }>();

  constructor(deps: SharedRecordsDeps) {
    this.#deps = deps;
  }

  /** With what was found of partitions that came, and without what is kept of those that are not held any more. */
  rebuild(found: ReadonlyMap<Partition, readonly StoredRecord[]>): void {
    const all = [...this.#tables].flatMap(([table, entries]) =>
      [...entries.values()]
        .filter(({ partition }) => partition.isHeld && !found.has(partition))
        .map((entry) => ({ table, entry })),
    );
    for (const [partition, records] of found)
      for (const { table, key, value } of records)
        if (table in families) all.push({ table, entry: { partition, key, value } });
    const sorted = inOrder(all);
    for (const entries of this.#tables.values()) entries.clear();
    this.#places.clear();
    const given = new Map<string, number>();
    for (const { table, entry } of sorted) {
      const family = families[table] ?? '';
      const own = `${family} ${String(entry.partition.number)} ${entry.key}`;
      const place = given.get(own) ?? given.size + 1;
      given.set(own, place);
      this.#remember(table, storeKey(this.#deps.plugin, place), {
        ...entry,
        value: atPlace(family, entry.value, place),
      });
    }
  }

  /** The partition to which the event of this dead letter belonged. */
  partitionOfLetter(id: string): Partition | undefined {
    for (const { partition, value } of this.#tables.get('letters')?.values() ?? [])
      if (textIn(value, 'id') === id) return partition;
    return undefined;
  }

  /** Resolves when the cluster has the changes; whoever asks for nothing waits for what came before. */
  async commit(changes: readonly Change[]): Promise<void> {
    const own = new Map<Partition, Change[]>();
    const add = (partition: Partition, change: Change): void =>
      void own.set(partition, [...(own.get(partition) ?? []), change]);
    const fresh = new Set(changes.flatMap((change) => (change.op === 'put' ? [`${change.table} ${change.key}`] : [])));
    for (const change of changes) {
      if (change.op !== 'put' || !this.#tables.has(change.table)) continue;
      const value = typeof change.value === 'string' ? change.value : Buffer.from(change.value).toString();
      const entry = this.#placed(change.table, change.key, value);
      this.#remember(change.table, change.key, entry);
      add(entry.partition, put(change.table, entry.key, value));
    }
    for (const change of changes) {
      if (change.op === 'put') continue;
      for (const key of this.#keysOf(change)) {
        if (change.op === 'removeRange' && fresh.has(`${change.table} ${key}`)) continue;
        const removed = this.#forget(change.table, key);
        if (removed !== undefined) add(removed.partition, remove(change.table, removed.key));
      }
    }
    if (changes.length === 0) for (const partition of this.#deps.held()) own.set(partition, []);
    await Promise.all([...own].map(([partition, part]) => partition.records.commit(part)));
  }

  /** Each lease is told by who owns this. */
  onReopened(): () => void {
    return () => undefined;
  }

  #remember(table: string, key: string, entry: Entry): void {
    this.#tables.get(table)?.set(key, entry);
    this.#places.set(`${families[table] ?? ''} ${key}`, entry);
  }

  #keysOf(change: Exclude<Change, { op: 'put' }>): string[] {
    if (change.op === 'remove') return [change.key];
    return [...(this.#tables.get(change.table)?.keys() ?? [])].filter((key) => key >= change.from && key < change.to);
  }

  #forget(table: string, key: string): Entry | undefined {
    const entries = this.#tables.get(table);
    const entry = entries?.get(key);
    entries?.delete(key);
    const family = families[table];
    if ([...this.#tables].every(([other, ofOther]) => families[other] !== family || !ofOther.has(key)))
      this.#places.delete(`${family ?? ''} ${key}`);
    return entry;
  }

  #placed(table: string, key: string, value: string): Entry {
    const known = this.#places.get(`${families[table] ?? ''} ${key}`);
    if (known !== undefined) return { partition: known.partition, key: known.key, value };
    const { plugin, partitionOf } = this.#deps;
    const partition = partitionOf(textIn(value, 'eventId') ?? '');
    const fence = partition?.fence;
    if (partition === undefined || fence === undefined)
      throw new HostError('cluster_unavailable', 'The cluster does not have it: this member holds no partition.');
    // Another member gives the same places, under another number.
    return { partition, key: storeKey(plugin, fence, key), value };
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- it is read as the store is, page by page
  async *#pages({ table, from, to }: RangeQuery): AsyncGenerator<RangePage> {
    const entries = [...(this.#tables.get(table) ?? [])]
      .filter(([key]) => key >= from && key < to)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, { value }]) => ({ key, value: Buffer.from(value) }));
    yield { entries, damaged: [], more: false };
  }
}

interface Placed {
  readonly table: string;
  readonly entry: Entry;
}

/** Dead letters by their time, as all members list theirs; commands as they were sent. */
function inOrder(all: readonly Placed[]): readonly Placed[] {
  const times = new Map(
    all.map(({ table, entry }) => [entry, table === 'letters' ? (textIn(entry.value, 'deadAt') ?? '') : '']),
  );
  const orderOf = ({ entry }: Placed): string => `${times.get(entry) ?? ''} ${entry.key}`;
  return [...all].sort((one, other) => (orderOf(one) < orderOf(other) ? -1 : 1));
}

/** A command knows its place itself. */
function atPlace(family: string, value: string, place: number): string {
  if (family !== 'commands') return value;
  const fields = fieldsIn(value);
  return fields === undefined ? value : JSON.stringify({ ...fields, place });
}

function fieldsIn(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    // No member wrote it.
    return undefined;
  }
}

function textIn(json: string, name: string): string | undefined {
  const value = fieldsIn(json)?.[name];
  return typeof value === 'string' ? value : undefined;
}
