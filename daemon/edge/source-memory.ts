// What a source has to know over restarts of the daemon, such as which files it has reported: entries of a name and a
// value, kept in the store. What a store that fails did not take is written when it works again.
import type { MemoryChange, MemoryEntry } from '../../protocol/edge/messages.ts';
import { keysUnder, put, remove, removeRange, storeKey } from '../../protocol/store/change.ts';
import type { Store } from '../store/store.ts';

const table = 'sources';
const prefix = 'memory';
const pageEntries = 1000;
/** Of all sources; beyond them the oldest are forgotten, and a restart may then report something twice. */
const mostUnwritten = 50_000;

export class SourceMemory {
  readonly #store: Store;
  readonly #unwritten = new Map<string, string | null>();

  constructor(store: Store) {
    this.#store = store;
    store.onReopened(() => void this.#write([]));
  }

  async recall(source: string): Promise<MemoryEntry[]> {
    const found = new Map<string, string>();
    const under = storeKey(prefix, ...source.split('/'));
    try {
      for await (const { entries } of this.#store.kept.pages({
        table,
        ...keysUnder(prefix, ...source.split('/')),
        limit: pageEntries,
      }))
        for (const { key, value } of entries) found.set(key.slice(under.length + 1), Buffer.from(value).toString());
    } catch {
      // The store has told the operator; what was reported before may be reported again.
    }
    for (const [key, value] of this.#unwritten) {
      if (!key.startsWith(`${under}/`)) continue;
      if (value === null) found.delete(key.slice(under.length + 1));
      else found.set(key.slice(under.length + 1), value);
    }
    return [...found];
  }

  async remember(source: string, changes: readonly MemoryChange[]): Promise<void> {
    await this.#write(changes.map(([name, value]) => [storeKey(prefix, ...source.split('/'), name), value]));
  }

  /** Of a plugin that is unloaded. */
  async forget(plugin: string): Promise<void> {
    const under = `${storeKey(prefix, plugin)}/`;
    for (const key of this.#unwritten.keys()) if (key.startsWith(under)) this.#unwritten.delete(key);
    try {
      await this.#store.commit([removeRange(table, keysUnder(prefix, plugin))]);
    } catch {
      // The store has told the operator why.
    }
  }

  async #write(changes: readonly (readonly [string, string | null])[]): Promise<void> {
    for (const [key, value] of changes) this.#unwritten.set(key, value);
    for (const key of this.#unwritten.keys()) {
      if (this.#unwritten.size <= mostUnwritten) break;
      this.#unwritten.delete(key);
    }
    const writing = [...this.#unwritten];
    if (writing.length === 0) return;
    try {
      await this.#store.commit(
        writing.map(([key, value]) => (value === null ? remove(table, key) : put(table, key, value))),
      );
      for (const [key, value] of writing) if (this.#unwritten.get(key) === value) this.#unwritten.delete(key);
    } catch {
      // The store has told the operator why.
    }
  }
}
