// What the next daemon has to know of plugins: which were loaded at run time and from where, and what the operator
// wanted of each service. All of it is held in memory as well, so that a store that fails keeps nobody from loading or
// stopping; what could not be written is written with the next change, or when the store works again.
import { type Change, keysUnder, put, remove, removeRange, storeKey } from '../../protocol/store/change.ts';
import type { Store } from '../store/store.ts';

export type Wanted = 'running' | 'stopped';

export interface RememberedPlugin {
  readonly id: string;
  /** Where it was loaded from; null where the configuration or the command line finds it. */
  readonly folder: string | null;
  /** What the operator asked of its service last; null where nobody has asked. */
  readonly wanted: Wanted | null;
}

const table = 'plugins';
const prefix = 'plugin';
const pageEntries = 1000;

export class RememberedPlugins {
  readonly #store: Store;
  readonly #plugins = new Map<string, RememberedPlugin>();
  /** Changed since the daemon began: what is read later does not replace it. */
  readonly #changed = new Set<string>();
  #isRead = false;
  /** The store may hold something else than is here. */
  #unwritten = false;

  /** `found` runs when the store could be read only later than at the start. */
  constructor(store: Store, found: () => void) {
    this.#store = store;
    store.onReopened(() => void this.#reopened(found));
  }

  /** Rejects if the store cannot be read now. */
  async read(): Promise<void> {
    for await (const { entries } of this.#store.kept.pages({ table, ...keysUnder(prefix), limit: pageEntries })) {
      for (const { value } of entries) {
        // Written by this class, and held to its checksum by the store.
        const plugin = JSON.parse(Buffer.from(value).toString()) as RememberedPlugin;
        if (!this.#changed.has(plugin.id)) this.#plugins.set(plugin.id, plugin);
      }
    }
    this.#isRead = true;
  }

  get(id: string): RememberedPlugin | undefined {
    return this.#plugins.get(id);
  }

  list(): readonly RememberedPlugin[] {
    return [...this.#plugins.values()];
  }

  /** False when it could not be written. */
  loaded(id: string, folder: string): Promise<boolean> {
    return this.#set({ id, folder, wanted: null });
  }

  /** `isDefault`: it would be so anyway. */
  wants(id: string, wanted: Wanted, isDefault: boolean): Promise<boolean> {
    const folder = this.#plugins.get(id)?.folder ?? null;
    return folder === null && isDefault ? this.forget(id) : this.#set({ id, folder, wanted });
  }

  async forget(id: string): Promise<boolean> {
    this.#changed.add(id);
    if (!this.#plugins.delete(id) && this.#isRead) return true;
    return await this.#write([remove(table, storeKey(prefix, id))]);
  }

  async #set(plugin: RememberedPlugin): Promise<boolean> {
    this.#changed.add(plugin.id);
    this.#plugins.set(plugin.id, plugin);
    return await this.#write([putOf(plugin)]);
  }

  async #write(changes: readonly Change[]): Promise<boolean> {
    try {
      await this.#store.commit(this.#unwritten && this.#isRead ? this.#whole() : changes);
      this.#unwritten = false;
      return true;
    } catch {
      // The store has told the operator why.
      this.#unwritten = true;
      return false;
    }
  }

  #whole(): Change[] {
    return [removeRange(table, keysUnder(prefix)), ...this.list().map(putOf)];
  }

  async #reopened(found: () => void): Promise<void> {
    if (!this.#isRead) {
      try {
        await this.read();
      } catch {
        // It is tried again when the store is opened next.
        return;
      }
      found();
      if (this.#changed.size === 0) return;
    }
    if (this.#plugins.size > 0 || this.#unwritten) await this.#write(this.#whole());
  }
}

const putOf = (plugin: RememberedPlugin): Change => put(table, storeKey(prefix, plugin.id), JSON.stringify(plugin));
