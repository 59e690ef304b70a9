// The dead letters of one service in the store, one value a letter, in the order in which they came. Writing holds
// nobody up: what changes in one turn is one commit. What the store did not take is written whole, again and again,
// until it is taken; the letters stay in memory meanwhile.
import {
  type Change,
  keysUnder,
  numberInKey,
  put,
  remove,
  removeRange,
  storeKey,
} from '../../protocol/store/change.ts';
import type { EntryStore } from '../store/entry-store.ts';
import type { Clock, Timer } from '../time/clock.ts';

export interface ShelvedLetter {
  /** Its place among the letters of the service. */
  readonly place: number;
  /** The letter as JSON. */
  readonly line: string;
}

export interface ShelfOptions {
  readonly pluginId: string;
  readonly store: EntryStore;
  readonly clock: Clock;
  /** Once when something goes wrong, and again only after it had worked in between. */
  onTrouble(message: string, error?: Error): void;
}

export interface ShelfOwner {
  /** What an earlier daemon kept: read at the start, or later if the store did not work then. */
  found(letters: readonly ShelvedLetter[]): void;
  /** All letters, as they are to stand in the store. */
  all(): Iterable<ShelvedLetter>;
}

const table = 'letters';
const pageEntries = 500;
const retryMs = [500, 30_000] as const;
/** Between two tries while the service is closed. */
const closeRetryMs = 50;
/** Of several in a key: the plugin's id, and the place. */
const placeInKey = 1;

export class LetterShelf {
  readonly #options: ShelfOptions;
  readonly #owner: ShelfOwner;
  readonly #unsubscribe: () => void;
  #changes: Change[] = [];
  /** What changes meanwhile belongs to a transaction of somebody else's. */
  #gathered: Change[] | undefined;
  #isRead = false;
  /** The store may hold other letters than are here. */
  #unwritten = false;
  #failures = 0;
  #retry: Timer | undefined;
  #closed = false;

  constructor(options: ShelfOptions, owner: ShelfOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#unsubscribe = options.store.onReopened(() => void this.#reopened());
  }

  /** Never rejects: a store that does not work now is read when it does. */
  async open(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      this.#trouble('the dead letters of before cannot be read now', error);
    }
  }

  /** What is kept is another now: of what was put before, nothing more is written. Never rejects. */
  async reread(): Promise<void> {
    this.forget();
    await this.open();
  }

  /** Nothing that is here is to be written any more. */
  forget(): void {
    this.#changes = [];
    this.#isRead = false;
    this.#unwritten = false;
    this.#failures = 0;
    this.#retry?.cancel();
    this.#retry = undefined;
  }

  /** What `run` changes, to be committed by the caller. */
  gather(run: () => void): readonly Change[] {
    // What is not in the store as it is here is written whole, by the shelf itself.
    if (this.#unwritten || !this.#isRead) {
      run();
      return [];
    }
    this.#flush();
    const gathered: Change[] = [];
    this.#gathered = gathered;
    run();
    this.#gathered = undefined;
    return gathered;
  }

  put(letter: ShelvedLetter): void {
    this.#change(put(table, this.#key(letter.place), letter.line));
  }

  remove(place: number): void {
    this.#change(remove(table, this.#key(place)));
  }

  removalOf(place: number): Change {
    return remove(table, this.#key(place));
  }

  /** Resolves when all that was put before is on disk; false where it is not. */
  async written(): Promise<boolean> {
    this.#flush();
    if (!this.#options.store.exists) return !this.#unwritten;
    // The store commits in order.
    const probe = this.#unwritten
      ? this.#writeWhole()
      : this.#options.store.commit([]).then(
          () => true,
          () => false,
        );
    return (await probe) && !this.#unwritten;
  }

  /**
   * Writes what is left, and tries again within the time what the store does not take; writes nothing after that. True
   * when nothing is left behind.
   */
  async close(withinMs: number): Promise<boolean> {
    if (this.#closed) return !this.#unwritten;
    const { clock } = this.#options;
    const pause = (ms: number): Promise<false> => new Promise((over) => clock.after(ms, () => over(false)));
    const late = pause(withinMs);
    const lateMs = clock.monotonicMs() + withinMs;
    let isWritten = await Promise.race([this.written(), late]);
    while (!isWritten && clock.monotonicMs() < lateMs) {
      await pause(Math.min(closeRetryMs, withinMs));
      isWritten = await Promise.race([this.written(), late]);
    }
    this.#closed = true;
    this.#retry?.cancel();
    this.#unsubscribe();
    return isWritten;
  }

  #key(place: number): string {
    return storeKey(this.#options.pluginId, place);
  }

  #change(change: Change): void {
    if (this.#closed) return;
    if (this.#gathered !== undefined) {
      this.#gathered.push(change);
      return;
    }
    if (this.#changes.length === 0) this.#options.clock.soon(() => this.#flush());
    this.#changes.push(change);
  }

  #flush(): void {
    const changes = this.#changes;
    this.#changes = [];
    if (changes.length === 0) return;
    // What was not taken before is written with these.
    if (this.#unwritten || !this.#isRead) return this.#fail();
    this.#options.store.commit(changes).catch((error: unknown) => this.#fail(error));
  }

  #fail(error?: unknown): void {
    this.#unwritten = true;
    if (error !== undefined)
      this.#trouble('dead letters cannot be written; they are kept in memory and tried again', error);
    if (this.#closed || this.#retry !== undefined) return;
    const [least, most] = retryMs;
    this.#retry = this.#options.clock.after(Math.min(most, least * 2 ** Math.min(this.#failures, 10)), () => {
      this.#retry = undefined;
      void this.#writeWhole();
    });
    this.#failures += 1;
  }

  async #writeWhole(): Promise<boolean> {
    if (!this.#isRead) return this.#retryLater();
    const { pluginId, store } = this.#options;
    const letters = [...this.#owner.all()].map(({ place, line }) => put(table, this.#key(place), line));
    this.#unwritten = false;
    try {
      await store.commit([removeRange(table, keysUnder(pluginId)), ...letters]);
      this.#failures = 0;
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #retryLater(): false {
    this.#fail();
    return false;
  }

  async #read(): Promise<void> {
    const { pluginId, store, onTrouble } = this.#options;
    const letters: ShelvedLetter[] = [];
    let damaged = 0;
    for await (const page of store.kept.pages({ table, ...keysUnder(pluginId), limit: pageEntries })) {
      damaged += page.damaged.length;
      for (const { key, value } of page.entries)
        letters.push({ place: numberInKey(key, placeInKey), line: Buffer.from(value).toString() });
    }
    this.#isRead = true;
    if (damaged > 0) onTrouble(`${String(damaged)} dead letters are damaged on disk and are lost; the others are kept`);
    this.#owner.found(letters);
  }

  async #reopened(): Promise<void> {
    if (this.#closed) return;
    if (!this.#isRead) await this.open();
    // The store may be another one than before, or may not hold what it was given last.
    if (this.#isRead && (this.#unwritten || [...this.#owner.all()].length > 0)) await this.#writeWhole();
  }

  #trouble(message: string, error: unknown): void {
    if (this.#failures > 0) return;
    this.#options.onTrouble(message, error instanceof Error ? error : undefined);
  }
}
