// The dead letters of one service: bounded, oldest first, each with its whole story. They are held in memory and kept
// in the store, so that they outlive the daemon. A letter that is replayed stays until the replay has its outcome.
import { type DeadLetter, type DeadLetterWithEvent, deadLetterWithEvent } from '../../protocol/dead-letter.ts';
import { HostError } from '../../protocol/errors.ts';
import type { Change } from '../../protocol/store/change.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import type { EntryStore } from '../store/entry-store.ts';
import type { Clock } from '../time/clock.ts';
import type { Outcome } from './books.ts';
import { doneWithOldLetters, findOldLetters } from './dead-letter-import.ts';
import { LetterShelf, type ShelvedLetter } from './letter-shelf.ts';

export interface DeadLetterLimits {
  readonly deadLetters: number;
  readonly deadLetterBytes: number;
}

export interface DeadLettersOptions {
  readonly pluginId: string;
  readonly store: EntryStore;
  /** Where an earlier version kept them; undefined where none did. */
  readonly oldFile: string | undefined;
  readonly limits: DeadLetterLimits;
  readonly clock: Clock;
  onTrouble(message: string, error?: Error): void;
}

/** As the JSON it is kept as: the event in it is taken apart only for who asks. */
interface Kept extends ShelvedLetter {
  readonly letter: DeadLetter;
  readonly bytes: number;
  /** It is in a durable queue again, and in the store no letter any more. */
  moved?: boolean;
}

type Listed = OperationResult<'deadLetter.list'>;

/** A file from a time of wider bounds is still read. */
const readFactor = 4;
const readSlackBytes = 64 * 1024 * 1024;

export class DeadLetters {
  readonly #limits: DeadLetterLimits;
  #letters = new Map<string, Kept>();
  /** By the id of the letter, the event that it is replayed as and that has no outcome yet. */
  readonly #replaying = new Map<string, string>();
  #shelf: LetterShelf | undefined;
  #nextPlace = 1;
  #bytes = 0;
  #evicted = 0;

  /** In memory alone, unless made by `open`. */
  constructor(limits: DeadLetterLimits) {
    this.#limits = limits;
  }

  static async open(options: DeadLettersOptions): Promise<DeadLetters> {
    const letters = new DeadLetters(options.limits);
    letters.#shelf = new LetterShelf(options, {
      found: (shelved) => letters.#found(shelved),
      all: () => [...letters.#letters.values()].filter(({ moved }) => moved !== true),
    });
    await letters.#shelf.open();
    await letters.#importOld(options, letters.#shelf);
    return letters;
  }

  /** Those that the shelf has now, in place of what was here. Never rejects. */
  async reread(): Promise<void> {
    this.#clear();
    await this.#shelf?.reread();
  }

  /** They are another member's now. */
  forget(): void {
    this.#clear();
    this.#shelf?.forget();
  }

  /** Of the event that was accepted then under this id. */
  hasEvent(eventId: string, createdAt: string): boolean {
    return [...this.#letters.values()].some(
      ({ letter }) => letter.eventId === eventId && letter.createdAt === createdAt,
    );
  }

  get counts(): { readonly count: number; readonly capacity: number; readonly evicted: number } {
    return { count: this.#letters.size, capacity: this.#limits.deadLetters, evicted: this.#evicted };
  }

  /**
   * Never throws and never waits. A letter of a replay takes the place of the one that was replayed, in one commit.
   * `gathered`: that commit is the caller's, of what is returned.
   */
  add(letter: DeadLetterWithEvent, gathered = false): readonly Change[] {
    const add = (): void => {
      if (letter.replayOf !== null) this.remove([letter.replayOf]);
      this.#keep(letter, JSON.stringify(letter));
    };
    if (gathered && this.#shelf !== undefined) return this.#shelf.gather(add);
    add();
    return [];
  }

  /**
   * Throws `dead_letter_not_found` if the letter to go on behind is not there: a page from the start would repeat
   * letters.
   */
  list(after: string | undefined, limit: number): Listed {
    if (after !== undefined) this.requireAll([after]);
    const all = [...this.#letters.values()];
    const from = after === undefined ? 0 : all.findIndex(({ letter: { id } }) => id === after) + 1;
    const page = all
      .slice(from, from + limit)
      .map(({ letter }) => ({ ...letter, replaying: this.#replaying.get(letter.id) ?? null }));
    return { deadLetters: page, total: all.length, evicted: this.#evicted };
  }

  get(id: string): DeadLetterWithEvent {
    const kept = this.#letters.get(id);
    if (kept === undefined) throw notFound([id]);
    // Made by `add`, or checked when it was read.
    return JSON.parse(kept.line) as DeadLetterWithEvent;
  }

  requireAll(ids: readonly string[]): void {
    const missing = ids.filter((id) => !this.#letters.has(id));
    if (missing.length > 0) throw notFound(missing);
  }

  /** Of the event with this id, and of all that were sent under it as their correlation id. */
  idsOf(id: string): string[] {
    return [...this.#letters.values()]
      .filter(({ letter }) => letter.eventId === id || letter.correlationId === id)
      .map(({ letter }) => letter.id);
  }

  ids(): string[] {
    return [...this.#letters.keys()];
  }

  /** The event that it is replayed as, while that has no outcome. */
  replayingAs(id: string): string | undefined {
    return this.#replaying.get(id);
  }

  replayBegan(id: string, eventId: string): void {
    this.#replaying.set(id, eventId);
  }

  /** Only one that was handled is no letter any more; one that was lost again comes with `add`. */
  replayEnded(id: string, outcome: Outcome): void {
    this.#replaying.delete(id);
    const kept = this.#letters.get(id);
    if (outcome === 'handled') this.remove([id]);
    else if (outcome === 'discarded' && kept?.moved === true) {
      kept.moved = false;
      this.#shelf?.put(kept);
    }
  }

  /** It could not be published. */
  replayRefused(id: string): void {
    this.#replaying.delete(id);
  }

  /** What changes in the store when it goes back into the queue. */
  removalOf(id: string): readonly Change[] {
    const kept = this.#letters.get(id);
    return kept === undefined || this.#shelf === undefined ? [] : [this.#shelf.removalOf(kept.place)];
  }

  /** It is in the queue again. It is listed as long as it is being replayed. */
  moved(id: string): void {
    const kept = this.#letters.get(id);
    if (kept !== undefined) kept.moved = true;
  }

  /** All of them if no ids are given. If one of those that are given is not there, none is removed. */
  discard(ids: readonly string[] = this.ids()): number {
    this.requireAll(ids);
    return this.remove(ids);
  }

  /** Answers how many of them there were. */
  remove(ids: readonly string[]): number {
    const found = [...new Set(ids)].flatMap((id) => this.#letters.get(id) ?? []);
    for (const kept of found) this.#drop(kept);
    return found.length;
  }

  /** Resolves when what was added and removed so far is on disk; false where it is not. */
  async written(): Promise<boolean> {
    return (await this.#shelf?.written()) ?? true;
  }

  /** Writes what is left within the time, and lets go of the store; true when nothing is left unwritten. */
  async close(withinMs: number): Promise<boolean> {
    return (await this.#shelf?.close(withinMs)) ?? true;
  }

  #clear(): void {
    this.#letters.clear();
    this.#replaying.clear();
    this.#bytes = 0;
  }

  #keep({ event: _event, ...letter }: DeadLetterWithEvent, line: string): void {
    const before = this.#letters.get(letter.id);
    if (before !== undefined) this.#drop(before);
    const kept: Kept = { letter, line, bytes: Buffer.byteLength(line), place: this.#nextPlace };
    this.#nextPlace += 1;
    this.#letters.set(letter.id, kept);
    this.#bytes += kept.bytes;
    this.#shelf?.put(kept);
    this.#evict();
  }

  #evict(): void {
    for (const oldest of this.#letters.values()) {
      if (this.#letters.size <= this.#limits.deadLetters && this.#bytes <= this.#limits.deadLetterBytes) break;
      this.#drop(oldest);
      this.#evicted += 1;
    }
  }

  #drop({ letter: { id }, bytes, place }: Kept): void {
    this.#letters.delete(id);
    this.#replaying.delete(id);
    this.#bytes -= bytes;
    this.#shelf?.remove(place);
  }

  /** What came meanwhile, if the store was read late, is younger. */
  #found(shelved: readonly ShelvedLetter[]): void {
    const younger = [...this.#letters.values()];
    this.#letters = new Map();
    this.#bytes = 0;
    for (const { place, line } of shelved) {
      const checked = deadLetterWithEvent.safeParse(JSON.parse(line));
      // Of a version that came after this one and was taken back.
      if (!checked.success) continue;
      const { event: _event, ...letter } = checked.data;
      const bytes = Buffer.byteLength(line);
      this.#letters.set(letter.id, { letter, line, bytes, place });
      this.#bytes += bytes;
      this.#nextPlace = Math.max(this.#nextPlace, place + 1);
    }
    for (const kept of younger) {
      this.#letters.set(kept.letter.id, { ...kept, place: this.#nextPlace });
      this.#bytes += kept.bytes;
      this.#nextPlace += 1;
    }
    this.#evict();
  }

  /** They are older than all others, but that is told by their dates alone: they come once. */
  async #importOld({ oldFile, pluginId, limits, onTrouble }: DeadLettersOptions, shelf: LetterShelf): Promise<void> {
    if (oldFile === undefined) return;
    const found = await findOldLetters(oldFile, {
      pluginId,
      maxBytes: limits.deadLetterBytes * readFactor + readSlackBytes,
    });
    if (found.letters.length === 0 && found.fault === undefined) return;
    for (const { letter, line } of found.letters) if (!this.#letters.has(letter.id)) this.#keep(letter, line);
    const what =
      found.fault === undefined
        ? ''
        : `the file of dead letters ${found.fault}; ${String(found.letters.length)} letters in it could be read`;
    try {
      // As long as they are not in the store, the file stays, and is imported again.
      if (found.letters.length > 0 && !(await shelf.written())) return;
      doneWithOldLetters(oldFile, found);
      if (found.fault !== undefined) onTrouble(`${what}; it is put aside as ${oldFile}.aside`);
    } catch (error) {
      onTrouble(
        what === '' ? 'the old file of dead letters cannot be removed' : what,
        error instanceof Error ? error : undefined,
      );
    }
  }
}

/** Of a refusal's list of ids. */
const shownIds = 20;

function notFound(ids: readonly string[]): HostError {
  const [id = '', ...others] = ids;
  const more =
    others.length === 0
      ? ''
      : `, nor ${String(others.length)} other${others.length === 1 ? '' : 's'} of those that were named`;
  return new HostError('dead_letter_not_found', `There is no dead letter ${id}${more}.`, {
    id,
    ids: ids.slice(0, shownIds),
  });
}
