// Changes that are in the journal and not in the engine yet, without those that later ones have undone: a page of
// events that was put and removed again costs the engine a removal of nothing.
import type { EngineTables, TransactionSize } from './engine.ts';

interface TableChanges {
  /**
   * From where up to where; applied before the entries, since a removal of a range takes out the entries that it meets.
   */
  readonly ranges: Map<string, string>;
  /** `undefined` for a removal. */
  readonly entries: Map<string, Uint8Array | undefined>;
}

export class PendingChanges implements EngineTables {
  readonly #tables = new Map<string, TableChanges>();
  #bytes = 0;
  #count = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  get size(): TransactionSize {
    return { bytes: this.#bytes, changes: this.#count, removes: true };
  }

  put(table: string, key: string, value: Uint8Array): void {
    this.#set(table, key, value);
  }

  remove(table: string, key: string): void {
    this.#set(table, key, undefined);
  }

  removeRange(table: string, from: string, to: string): void {
    const { ranges, entries } = this.#of(table);
    for (const [key, value] of entries) {
      if (compareKeys(key, from) < 0 || compareKeys(key, to) >= 0) continue;
      entries.delete(key);
      this.#count -= 1;
      this.#bytes -= value?.byteLength ?? 0;
    }
    const known = ranges.get(from);
    if (known === undefined) this.#count += 1;
    if (known === undefined || compareKeys(known, to) < 0) ranges.set(from, to);
  }

  applyTo(tables: EngineTables): void {
    for (const [table, { ranges, entries }] of this.#tables) {
      for (const [from, to] of ranges) tables.removeRange(table, from, to);
      for (const [key, value] of entries) {
        if (value === undefined) tables.remove(table, key);
        else tables.put(table, key, value);
      }
    }
  }

  clear(): void {
    this.#tables.clear();
    this.#bytes = 0;
    this.#count = 0;
  }

  #set(table: string, key: string, value: Uint8Array | undefined): void {
    const { entries } = this.#of(table);
    const before = entries.size;
    this.#bytes += (value?.byteLength ?? 0) - (entries.get(key)?.byteLength ?? 0);
    entries.set(key, value);
    this.#count += entries.size - before;
  }

  #of(table: string): TableChanges {
    let changes = this.#tables.get(table);
    if (changes === undefined) this.#tables.set(table, (changes = { ranges: new Map(), entries: new Map() }));
    return changes;
  }
}

const firstSurrogate = 0xd800;
const behindSurrogates = 0xe000;
const surrogates = behindSurrogates - firstSurrogate;

/** In the order of the engine, that of the bytes in UTF-8; JavaScript's own puts surrogates before U+E000. */
export function compareKeys(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at += 1) {
    const [a, b] = [left.charCodeAt(at), right.charCodeAt(at)];
    if (a !== b) return rank(a) - rank(b);
  }
  return left.length - right.length;
}

function rank(unit: number): number {
  if (unit < firstSurrogate) return unit;
  return unit < behindSurrogates ? unit + 0x10000 : unit - surrogates;
}
