// The version of the store's format, kept in the store itself so that a migration and its mark are one transaction.
import { seal, unseal } from './sealed-value.ts';
import type { EngineTables, StoreEngine } from './engine.ts';

/** From 2 on, what is kept may be in the journal only: a version that does not read it must not open the store. */
export const formatVersion = 2;
const formatTable = 'about';
const formatKey = 'format';

export interface Format {
  readonly version: number;
  /** The version of Nagaya that wrote it last. */
  readonly madeBy: string;
  /** Counts the openings: to write it proves that the disk takes a synced transaction. */
  readonly generation: number;
}

/** Brings a store to the next version, in the transaction that marks it. */
export type Migration = (engine: StoreEngine, tables: EngineTables) => void;

/** Each under the version that it starts from. */
export const migrations: ReadonlyMap<number, Migration> = new Map([[1, () => undefined]]);

/** Undefined in a store that is empty. A store that holds something and does not say what is not one of ours. */
export function readFormat(engine: StoreEngine): Format | undefined {
  const sealed = engine.get(formatTable, formatKey);
  const text = sealed === undefined ? undefined : unseal(formatKey, sealed);
  if (text === undefined) {
    if (engine.tables().length > 0) throw new Error('it does not say its format');
    return undefined;
  }
  return JSON.parse(Buffer.from(text).toString()) as Format;
}

export function writeFormat(tables: EngineTables, format: Format): void {
  tables.put(formatTable, formatKey, seal(formatKey, JSON.stringify(format)));
}
