// A store in memory with the seam that the real one has, for tests of what is kept there: each commit is applied whole
// or not at all, in order and later, and a test may have any of them fail before or after it took effect, or end the
// process there.
import type { Change } from '../../protocol/store/change.ts';
import type { Entry, RangePage } from '../../protocol/store/messages.ts';
import type { RangeQuery } from '../../daemon/store/store-reads.ts';
import { HostError } from '../../protocol/errors.ts';

/** What becomes of one commit. `dies` ends the process: nobody is answered any more. */
export type CommitFate = 'done' | 'full' | 'failed before' | 'failed after' | 'dies before' | 'dies after';

type Table = Map<string, string>;

const errors = {
  full: () => new HostError('storage_full', 'The file system is full.', { reason: 'full' }),
  failed: () => new HostError('storage_failed', 'The disk failed.', { reason: 'io' }),
};

export class MemoryStore {
  /** What is on the disk, also after the process died. */
  readonly tables: Map<string, Table>;
  /** Keys, as TABLE KEY, whose values are not what was written. */
  readonly damaged = new Set<string>();
  readonly commits: (readonly Change[])[] = [];
  fate: (changes: readonly Change[]) => CommitFate = () => 'done';
  dead = false;
  unreadable = false;
  readonly #reopened = new Set<() => void>();

  constructor(tables: Map<string, Table> = new Map()) {
    this.tables = tables;
  }

  /** What the next process finds. */
  restarted(): MemoryStore {
    this.dead = true;
    const next = new MemoryStore(new Map([...this.tables].map(([name, table]) => [name, new Map(table)])));
    for (const key of this.damaged) next.damaged.add(key);
    return next;
  }

  get exists(): boolean {
    return this.tables.size > 0;
  }

  reopen(): void {
    for (const listener of [...this.#reopened]) listener();
  }

  onReopened(listener: () => void): () => void {
    this.#reopened.add(listener);
    return () => void this.#reopened.delete(listener);
  }

  commit(changes: readonly Change[]): Promise<void> {
    return new Promise((done, failed) => {
      queueMicrotask(() => {
        if (this.dead) return;
        const fate = this.fate(changes);
        if (fate === 'done' || fate === 'failed after' || fate === 'dies after') this.#apply(changes);
        if (fate === 'dies before' || fate === 'dies after') this.dead = true;
        else if (fate === 'full') failed(errors.full());
        else if (fate === 'done') done();
        else failed(errors.failed());
      });
    });
  }

  note(changes: readonly Change[]): Promise<boolean> {
    if (!this.dead) this.#apply(changes);
    return Promise.resolve(true);
  }

  readonly kept = {
    get: (table: string, key: string): Promise<Buffer | undefined> => {
      const value = this.tables.get(table)?.get(key);
      return Promise.resolve(value === undefined ? undefined : Buffer.from(value));
    },
    pages: (query: RangeQuery): AsyncGenerator<RangePage> => this.#pages(query),
  };

  async *#pages({ table, from, to, limit }: RangeQuery): AsyncGenerator<RangePage> {
    if (this.unreadable) throw errors.failed();
    const keys = [...(this.tables.get(table)?.keys() ?? [])].filter((key) => key >= from && key < to).sort();
    for (let at = 0; at < keys.length; at += limit) {
      const page = keys.slice(at, at + limit);
      const isDamaged = (key: string): boolean => this.damaged.has(`${table} ${key}`);
      yield {
        entries: page.filter((key) => !isDamaged(key)).map((key) => this.#entry(table, key)),
        damaged: page.filter(isDamaged),
        more: at + limit < keys.length,
      };
    }
  }

  #entry(table: string, key: string): Entry {
    return { key, value: Buffer.from(this.tables.get(table)?.get(key) ?? '') };
  }

  #apply(changes: readonly Change[]): void {
    this.commits.push(changes);
    for (const change of changes) {
      const table = this.tables.get(change.table) ?? new Map<string, string>();
      this.tables.set(change.table, table);
      if (change.op === 'put') {
        table.set(change.key, Buffer.from(change.value).toString());
        this.damaged.delete(`${change.table} ${change.key}`);
      } else if (change.op === 'remove') table.delete(change.key);
      else for (const key of [...table.keys()]) if (key >= change.from && key < change.to) table.delete(key);
    }
  }
}
