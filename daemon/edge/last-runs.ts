// The last run of each schedule, in the store: what the next daemon goes on from. Held in memory as well; a store that
// fails costs no run while this daemon lives.
import { keysUnder, put, removeRange, storeKey } from '../../protocol/store/change.ts';
import type { Store } from '../store/store.ts';

interface LastRun {
  readonly source: string;
  /** Of another schedule the last run means nothing. */
  readonly schedule: string;
  readonly atMs: number;
}

const table = 'sources';
const prefix = 'last-run';
const pageEntries = 1000;

const keyOf = (source: string): string => storeKey(prefix, ...source.split('/'));

export class LastRuns {
  readonly #store: Store;
  readonly #runs = new Map<string, LastRun>();

  constructor(store: Store) {
    this.#store = store;
    store.onReopened(() => void this.#write([...this.#runs.values()]));
  }

  async read(): Promise<void> {
    try {
      for await (const { entries } of this.#store.kept.pages({ table, ...keysUnder(prefix), limit: pageEntries }))
        for (const { value } of entries) {
          // Written by this class, and held to its checksum by the store.
          const run = JSON.parse(Buffer.from(value).toString()) as LastRun;
          this.#runs.set(run.source, run);
        }
    } catch {
      // The store has told the operator; without it schedules begin now.
    }
  }

  get(source: string, schedule: string): number | undefined {
    const run = this.#runs.get(source);
    return run?.schedule === schedule ? run.atMs : undefined;
  }

  set(source: string, schedule: string, atMs: number): void {
    const run = { source, schedule, atMs };
    this.#runs.set(source, run);
    void this.#write([run]);
  }

  /** Of a plugin that is unloaded. */
  async forget(plugin: string): Promise<void> {
    const known = [...this.#runs.keys()].filter((source) => source.startsWith(`${plugin}/`));
    if (known.length === 0) return;
    for (const source of known) this.#runs.delete(source);
    try {
      await this.#store.commit([removeRange(table, keysUnder(prefix, plugin))]);
    } catch {
      // The store has told the operator why; a plugin that comes back makes up for what it missed.
    }
  }

  async #write(runs: readonly LastRun[]): Promise<void> {
    if (runs.length === 0) return;
    try {
      await this.#store.commit(runs.map((run) => put(table, keyOf(run.source), JSON.stringify(run))));
    } catch {
      // The store has told the operator why, and all are written when it works again.
    }
  }
}
