// The commands of one plugin in the store, and those that could not be delivered. What changes in one turn is one
// commit, and nobody waits for it: a command whose removal is lost is delivered again under its old id.
import { type Change, keysUnder, put, remove, storeKey } from '../../protocol/store/change.ts';
import type { EntryStore } from '../store/entry-store.ts';
import type { Clock, Timer } from '../time/clock.ts';
import type { Command, DeadCommand } from './command.ts';

export interface ShelfOptions {
  readonly plugin: string;
  readonly store: EntryStore;
  readonly clock: Clock;
  /** Once when something goes wrong, and again only after it had worked in between. */
  onTrouble(message: string, error?: Error): void;
}

const tables = { pending: 'commands', dead: 'command-letters' } as const;
const pageEntries = 500;
const retryMs = 2000;

export class CommandShelf {
  readonly #options: ShelfOptions;
  /** By table and place; the last change of each place counts. */
  #changes = new Map<string, Change>();
  #flushes = false;
  #committing = false;
  #commit: Promise<void> = Promise.resolve();
  #retry: Timer | undefined;
  #failed = false;
  #closed = false;

  constructor(options: ShelfOptions) {
    this.#options = options;
  }

  /** What an earlier daemon kept, in order. */
  async read(): Promise<{ readonly pending: Command[]; readonly dead: DeadCommand[] }> {
    return {
      pending: (await this.#readTable(tables.pending)) as Command[],
      dead: (await this.#readTable(tables.dead)) as DeadCommand[],
    };
  }

  /** For a commit with the outcome of the event that sent it. */
  putOf(command: Command): Change {
    return put(tables.pending, this.#key(command.place), JSON.stringify(command));
  }

  put(command: Command): void {
    this.#change(this.putOf(command));
  }

  remove({ place }: Command): void {
    this.#change(remove(tables.pending, this.#key(place)));
  }

  bury(dead: DeadCommand): void {
    this.#change(put(tables.dead, this.#key(dead.place), JSON.stringify(dead)));
  }

  unbury({ place }: DeadCommand): void {
    this.#change(remove(tables.dead, this.#key(place)));
  }

  /** Resolves when what was changed so far is in the store, or was refused. Never rejects. */
  async settled(): Promise<void> {
    for (;;) {
      this.#flush();
      if (!this.#committing) return;
      await this.#commit;
    }
  }

  /** Nothing that is here is to be written any more. */
  forget(): void {
    this.#changes.clear();
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#failed = false;
  }

  close(): void {
    this.#committing = false;
    this.#flush();
    this.#closed = true;
    this.#retry?.cancel();
  }

  async #readTable(table: string): Promise<unknown[]> {
    const { plugin, store, onTrouble } = this.#options;
    const found: unknown[] = [];
    let damaged = 0;
    for await (const page of store.kept.pages({ table, ...keysUnder(plugin), limit: pageEntries })) {
      damaged += page.damaged.length;
      // Written by `putOf` and `bury`.
      for (const { value } of page.entries) found.push(JSON.parse(Buffer.from(value).toString()));
    }
    if (damaged > 0) onTrouble(`${String(damaged)} commands are damaged on disk and are lost; the others are kept`);
    return found;
  }

  #key(place: number): string {
    return storeKey(this.#options.plugin, place);
  }

  #change(change: Change): void {
    if (this.#closed) return;
    if (change.op !== 'removeRange') this.#changes.set(`${change.table}/${change.key}`, change);
    if (this.#flushes) return;
    this.#flushes = true;
    this.#options.clock.soon(() => {
      this.#flushes = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#changes.size === 0 || this.#committing || this.#closed || this.#retry !== undefined) return;
    const changes = this.#changes;
    this.#changes = new Map();
    this.#committing = true;
    this.#commit = this.#options.store.commit([...changes.values()]).then(
      () => {
        this.#committing = false;
        this.#failed = false;
        this.#flush();
      },
      (error: unknown) => this.#again(changes, error),
    );
  }

  #again(changes: Map<string, Change>, error: unknown): void {
    this.#committing = false;
    // What has changed since is newer.
    this.#changes = new Map([...changes, ...this.#changes]);
    if (!this.#failed)
      this.#options.onTrouble(
        'commands cannot be written; they are kept in memory and tried again',
        error instanceof Error ? error : undefined,
      );
    this.#failed = true;
    if (this.#closed) return;
    this.#retry = this.#options.clock.after(retryMs, () => {
      this.#retry = undefined;
      this.#flush();
    });
  }
}
