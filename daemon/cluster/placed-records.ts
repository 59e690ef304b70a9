// What a service of which one instance lives keeps of single events, in the cluster in place of the store: its dead
// letters, its commands, and the attempts that failed. It is read when a lease begins, and written under its fencing
// number.
import type { FromCluster, StoredRecord, ToCluster } from '../../protocol/cluster/messages.ts';
import { HostError } from '../../protocol/errors.ts';
import type { Change } from '../../protocol/store/change.ts';
import type { RangePage } from '../../protocol/store/messages.ts';
import type { EntryStore } from '../store/entry-store.ts';
import type { RangeQuery } from '../store/store-reads.ts';

export interface PlacedRecordsDeps {
  readonly plugin: string;
  post(message: ToCluster): void;
  /** Undefined where this member has no lease in force. */
  fence(): number | undefined;
}

interface Waiting {
  resolve(): void;
  reject(error: HostError): void;
}

let lastId = 0;

export class PlacedRecords implements EntryStore {
  readonly #deps: PlacedRecordsDeps;
  readonly #waiting = new Map<number, Waiting>();
  #found: readonly StoredRecord[] = [];
  readonly exists = true;
  readonly kept = { pages: (query: RangeQuery): AsyncIterable<RangePage> => this.#pages(query) };

  constructor(deps: PlacedRecordsDeps) {
    this.#deps = deps;
  }

  /** What a new lease begins with. */
  adopt(found: readonly StoredRecord[]): void {
    this.lost('another lease began');
    this.#found = found;
  }

  /** All of one table. */
  inTable(table: string): readonly StoredRecord[] {
    return this.#found.filter((record) => record.table === table);
  }

  /** Whoever wanted it has read it. */
  forget(): void {
    this.#found = [];
  }

  /** Resolves when the cluster has the changes. */
  commit(changes: readonly Change[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const { plugin, post, fence } = this.#deps;
      // Whoever asks for nothing waits for what came before.
      if (changes.length === 0 && this.#waiting.size === 0) return resolve();
      const own = fence();
      if (own === undefined) return reject(notKept('the lease is over'));
      lastId += 1;
      this.#waiting.set(lastId, { resolve, reject });
      post({ type: 'record', id: lastId, plugin, fence: own, changes });
    });
  }

  /** Each lease is told by who owns this. */
  onReopened(): () => void {
    return () => undefined;
  }

  recorded({ id, refusal }: Extract<FromCluster, { type: 'recorded' }>): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (refusal === null) waiting?.resolve();
    else waiting?.reject(notKept(refusal));
  }

  lost(why: string): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(notKept(why));
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- it is read as the store is, page by page
  async *#pages({ table, from, to }: RangeQuery): AsyncGenerator<RangePage> {
    const entries = this.inTable(table)
      .filter(({ key }) => key >= from && key < to)
      .sort((one, other) => (one.key < other.key ? -1 : 1))
      .map(({ key, value }) => ({ key, value: Buffer.from(value) }));
    yield { entries, damaged: [], more: false };
  }
}

const notKept = (why: string): HostError =>
  new HostError('cluster_unavailable', `The cluster does not have it: ${why}.`);
