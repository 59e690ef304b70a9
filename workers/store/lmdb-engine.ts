// The engine over lmdb. It is the only file that knows lmdb, and it is loaded only by the storekeeper's thread and by
// the process that checks a suspect file. Transactions are synchronous: nothing here uses libuv's pool, which a plugin
// may have filled.
import { chmodSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Database, RootDatabase, Transaction } from 'lmdb';
import { mostTables } from '../../protocol/store/change.ts';
import {
  type EngineEntry,
  type EngineSnapshot,
  type EngineTables,
  type EngineUsage,
  type RangeOptions,
  type StoreEngine,
  type TransactionSize,
} from './engine.ts';
import { ReservedSpace } from './reserved-space.ts';

// Required, not imported: that reads its files without libuv's pool.
const lmdb = createRequire(import.meta.url)('lmdb') as typeof import('lmdb');

export interface LmdbOptions {
  /** False for notes: a commit is in the system's cache when it returns, not on the disk. */
  readonly sync: boolean;
}

type Table = Database<Buffer, Buffer>;

const binary = { encoding: 'binary', keyEncoding: 'binary' } as const;
const fileMode = 0o600;
/** What is always beyond the estimate: a removal of a range may touch many pages. */
const spareBytes = 1024 * 1024;
/** The engine's own tables, and pages that are copied because something in them is changed. */
const usualBytes = 64 * 1024;
/** A page that a change may touch beside what it puts. */
const bytesOfChange = 4096;
const smallSize: TransactionSize = { bytes: 0, changes: 0, removes: true };
/**
 * What the file has beyond that for what makes room: a store that was filled to the last byte has to be read and
 * emptied by the next daemon as well.
 */
const leastKeptBytes = 256 * 1024;
const mostKeptBytes = 16 * 1024 * 1024;
const keptShare = 1 / 8;
/** The engine makes it larger as it is needed. */
const firstMapBytes = 16 * 1024 * 1024;

export class LmdbEngine implements StoreEngine {
  readonly #path: string;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #tables = new Map<string, Table>();
  readonly #writes: EngineTables;
  readonly #inode: number;
  readonly #space: ReservedSpace;
  /** Behind all pages that are used. */
  #usedTo = 0;

  constructor(path: string, { sync }: LmdbOptions) {
    this.#path = path;
    this.#root = lmdb.open<Buffer, Buffer>({
      path,
      ...binary,
      mapSize: firstMapBytes,
      maxDbs: mostTables + 2,
      overlappingSync: false,
      noSync: !sync,
      noSubdir: true,
    });
    chmodSync(path, fileMode);
    this.#space = new ReservedSpace(path);
    this.#inode = statSync(path).ino;
    // The engine ends the names of tables with a zero.
    for (const name of [...this.#root.getKeys({})].map((key) => key.toString().replace(/\0$/, '')))
      this.#open(name, false);
    this.#writes = {
      put: (table, key, value) => void this.#make(table).putSync(bytesOf(key), asBuffer(value)),
      remove: (table, key) => void this.#tables.get(table)?.removeSync(bytesOf(key)),
      removeRange: (table, from, to) => this.#removeRange(table, from, to),
    };
  }

  transaction(run: (tables: EngineTables) => void, size: TransactionSize = smallSize): void {
    this.reserve(size);
    this.#usedTo += mostBytesOf(size);
    const known = new Set(this.#tables.keys());
    try {
      this.#root.transactionSync(() => run(this.#writes));
    } catch (error) {
      // What a transaction made that did not happen is not there.
      for (const name of this.#tables.keys()) if (!known.has(name)) this.#tables.delete(name);
      throw error;
    } finally {
      // A read in the same turn would otherwise see the state of before.
      this.#root.resetReadTxn();
    }
  }

  reserve(size: TransactionSize): void {
    const kept = size.removes
      ? 0
      : Math.min(mostKeptBytes, Math.max(leastKeptBytes, Math.ceil(this.#usedTo * keptShare)));
    const ahead = mostBytesOf(size) + spareBytes + kept;
    if (this.#usedTo === 0 || this.#usedTo + ahead > this.#space.to) {
      const { pageSize, lastPageNumber } = this.#root.getStats() as RootStats;
      this.#usedTo = (lastPageNumber + 1) * pageSize;
      this.#space.reserve(this.#usedTo + ahead);
    }
  }

  get(table: string, key: string): Uint8Array | undefined {
    return this.#tables.get(table)?.getBinary(bytesOf(key));
  }

  range(table: string, options: RangeOptions): Iterable<EngineEntry> {
    return this.#read(table, options, undefined);
  }

  count(table: string, { from, to }: RangeOptions): number {
    return this.#tables.get(table)?.getKeysCount({ start: bytesOf(from), end: bytesOf(to) }) ?? 0;
  }

  snapshot(): EngineSnapshot {
    const transaction = this.#root.useReadTransaction();
    return { range: (table, options) => this.#read(table, options, transaction), done: () => transaction.done() };
  }

  tables(): readonly string[] {
    return [...this.#tables.keys()];
  }

  usage(): EngineUsage {
    const tables = [...this.#tables].map(([table, found]) => {
      const { entryCount, pageSize, treeBranchPageCount, treeLeafPageCount, overflowPages } =
        found.getStats() as TableStats;
      return {
        table,
        entries: entryCount,
        bytes: (treeBranchPageCount + treeLeafPageCount + overflowPages) * pageSize,
      };
    });
    return { tables, fileBytes: statSync(this.#path).size };
  }

  inPlace(): boolean {
    return statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode;
  }

  close(): void {
    this.#space.close();
    void this.#root.close();
  }

  *#read(
    table: string,
    { from, to, reverse = false }: RangeOptions,
    transaction: Transaction | undefined,
  ): Generator<EngineEntry> {
    const found = this.#tables.get(table);
    if (found === undefined) return;
    const [low, high] = [bytesOf(from), bytesOf(to)];
    const bounds = reverse
      ? { start: high, exclusiveStart: true, end: low, inclusiveEnd: true, reverse }
      : { start: low, end: high };
    for (const { key, value } of found.getRange({ ...bounds, ...(transaction === undefined ? {} : { transaction }) }))
      yield { key: key.toString(), value };
  }

  #removeRange(table: string, from: string, to: string): void {
    const found = this.#tables.get(table);
    if (found === undefined) return;
    const keys = [...found.getKeys({ start: bytesOf(from), end: bytesOf(to) })].map((key) => Buffer.from(key));
    for (const key of keys) found.removeSync(key);
  }

  #make(name: string): Table {
    return this.#tables.get(name) ?? this.#open(name, true);
  }

  #open(name: string, create: boolean): Table {
    // The types of lmdb know no `create`; it would otherwise write to a store that is only to be looked at.
    const table = this.#root.openDB<Buffer, Buffer>({ name, ...binary, ...({ create } as object) });
    this.#tables.set(name, table);
    return table;
  }
}

interface RootStats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
}

interface TableStats {
  readonly entryCount: number;
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

const mostBytesOf = ({ bytes, changes }: TransactionSize): number => usualBytes + 2 * bytes + changes * bytesOfChange;
const bytesOf = (key: string): Buffer => Buffer.from(key);
const asBuffer = (value: Uint8Array): Buffer => Buffer.from(value.buffer, value.byteOffset, value.byteLength);
