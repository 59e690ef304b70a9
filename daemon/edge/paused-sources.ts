// Which sources the operator has paused, over restarts of the daemon. Held in memory as well, so that a store that
// fails keeps nobody from pausing a source; what could not be written is written when the store works again.
import { keysUnder, put, remove, removeRange, storeKey } from '../../protocol/store/change.ts';
import type { Store } from '../store/store.ts';

const table = 'sources';
const prefix = 'paused';
const pageEntries = 1000;

const keyOf = (source: string): string => storeKey(prefix, ...source.split('/'));

export class PausedSources {
  readonly #store: Store;
  readonly #paused = new Set<string>();
  #isRead = false;

  constructor(store: Store) {
    this.#store = store;
    store.onReopened(() => void this.#reopened());
  }

  async read(): Promise<void> {
    try {
      for await (const { entries } of this.#store.kept.pages({ table, ...keysUnder(prefix), limit: pageEntries }))
        for (const { value } of entries) this.#paused.add(Buffer.from(value).toString());
      this.#isRead = true;
    } catch {
      // The store has told the operator; it is read when the store works again.
    }
  }

  has(source: string): boolean {
    return this.#paused.has(source);
  }

  async set(source: string, paused: boolean): Promise<void> {
    if (paused === this.#paused.has(source)) return;
    if (paused) this.#paused.add(source);
    else this.#paused.delete(source);
    await this.#write(() =>
      this.#store.commit([paused ? put(table, keyOf(source), source) : remove(table, keyOf(source))]),
    );
  }

  /** Of a plugin that is unloaded. */
  async forget(plugin: string): Promise<void> {
    const known = [...this.#paused].filter((source) => source.startsWith(`${plugin}/`));
    if (known.length === 0) return;
    for (const source of known) this.#paused.delete(source);
    await this.#write(() => this.#store.commit([removeRange(table, keysUnder(prefix, plugin))]));
  }

  async #write(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch {
      // The store has told the operator why, and the whole list is written when it works again.
    }
  }

  async #reopened(): Promise<void> {
    if (!this.#isRead) await this.read();
    if (!this.#isRead) return;
    await this.#write(() =>
      this.#store.commit([
        removeRange(table, keysUnder(prefix)),
        ...[...this.#paused].map((source) => put(table, keyOf(source), source)),
      ]),
    );
  }
}
