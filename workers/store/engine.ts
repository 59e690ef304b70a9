// What the storekeeper needs of a database: synchronous transactions over ordered keys in named tables. The
// storekeeper's rules are written against this, so that tests can run them over a database that fails wherever they
// want.

export interface EngineEntry {
  readonly key: string;
  /** As it was given to `put`. */
  readonly value: Uint8Array;
}

export interface EngineTables {
  put(table: string, key: string, value: Uint8Array): void;
  remove(table: string, key: string): void;
  removeRange(table: string, from: string, to: string): void;
}

export interface RangeOptions {
  readonly from: string;
  readonly to: string;
  readonly reverse?: boolean;
}

export interface EngineUsage {
  readonly tables: readonly { readonly table: string; readonly entries: number; readonly bytes: number }[];
  readonly fileBytes: number;
}

/** The state at one moment, however long it is read and whatever is written meanwhile. */
export interface EngineSnapshot {
  range(table: string, options: RangeOptions): Iterable<EngineEntry>;
  done(): void;
}

/** How much a transaction changes at most. */
export interface TransactionSize {
  readonly bytes: number;
  readonly changes: number;
  /** It may use the room that is left in the file for emptying it. */
  readonly removes: boolean;
}

export interface StoreEngine {
  /**
   * All of it or nothing. When it returns, an engine that syncs has the changes on disk. Throws what the engine throws.
   * Without a size it is a small one.
   */
  transaction(run: (tables: EngineTables) => void, size?: TransactionSize): void;
  /** Throws where there is no room for a transaction of this size. */
  reserve(size: TransactionSize): void;
  get(table: string, key: string): Uint8Array | undefined;
  /** Whoever ends the iteration early ends its cursor with it. */
  range(table: string, options: RangeOptions): Iterable<EngineEntry>;
  count(table: string, options: RangeOptions): number;
  snapshot(): EngineSnapshot;
  tables(): readonly string[];
  usage(): EngineUsage;
  /** False when the file was removed or replaced: what is written would go where nobody finds it. */
  inPlace(): boolean;
  close(): void;
}

/** Sorts before and behind every key. */
export const everyKey: RangeOptions = { from: '', to: '\u{10FFFF}' };
