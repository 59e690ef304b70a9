// The dead letters of one service: bounded, oldest first, each with its whole story; kept on disk as well, so that they
// outlive the daemon.
import type { DeadLetter, DeadLetterWithEvent } from '../../protocol/dead-letter.ts';
import { HostError } from '../../protocol/errors.ts';
import { plural } from '../../protocol/plural.ts';
import type { Clock } from '../time/clock.ts';
import { DeadLetterFile } from './dead-letter-file.ts';
import { headLine, lineOf } from './dead-letter-text.ts';

export interface DeadLetterLimits {
  readonly deadLetters: number;
  readonly deadLetterBytes: number;
}

export interface DeadLettersOptions {
  readonly pluginId: string;
  readonly folder: string;
  readonly limits: DeadLetterLimits;
  readonly clock: Clock;
  onTrouble(message: string, error?: Error): void;
}

/** As the line it is written as: the event in it is taken apart only for who asks. */
interface Kept {
  readonly letter: DeadLetter;
  readonly line: string;
  readonly bytes: number;
}

/** A file from a time of wider bounds is still read. */
const readFactor = 4;
const readSlackBytes = 64 * 1024 * 1024;

export class DeadLetters {
  readonly #limits: DeadLetterLimits;
  readonly #letters = new Map<string, Kept>();
  #file: DeadLetterFile | undefined;
  #bytes = 0;
  #evicted = 0;

  /** In memory alone, unless made by `open`. */
  constructor(limits: DeadLetterLimits) {
    this.#limits = limits;
  }

  static async open(options: DeadLettersOptions): Promise<DeadLetters> {
    const { pluginId, folder, limits, clock } = options;
    const letters = new DeadLetters(limits);
    const maxBytes = limits.deadLetterBytes * readFactor + readSlackBytes;
    const file = new DeadLetterFile({ pluginId, folder, clock, maxBytes, onTrouble: (message, error) => options.onTrouble(message, error) }, () => letters.#lines(pluginId));
    for (const { letter, line } of (await file.read()).letters) letters.#keep(letter, line);
    letters.#file = file;
    if (letters.#evicted > 0) file.changed();
    return letters;
  }

  get counts(): { readonly count: number; readonly capacity: number; readonly evicted: number } {
    return { count: this.#letters.size, capacity: this.#limits.deadLetters, evicted: this.#evicted };
  }

  /** Never throws and never waits. */
  add(letter: DeadLetterWithEvent): void {
    this.#keep(letter, lineOf(letter));
    this.#file?.changed();
  }

  /** Throws `dead_letter_not_found` if the letter to go on behind is not there: a page from the start would repeat letters. */
  list(after: string | undefined, limit: number): { deadLetters: DeadLetter[]; total: number; evicted: number } {
    if (after !== undefined) this.requireAll([after]);
    const all = [...this.#letters.values()];
    const from = after === undefined ? 0 : all.findIndex(({ letter: { id } }) => id === after) + 1;
    return { deadLetters: all.slice(from, from + limit).map(({ letter }) => letter), total: all.length, evicted: this.#evicted };
  }

  get(id: string): DeadLetterWithEvent {
    const kept = this.#letters.get(id);
    if (kept === undefined) throw notFound([id]);
    // Made by `lineOf`, or checked when it was read.
    return JSON.parse(kept.line) as DeadLetterWithEvent;
  }

  requireAll(ids: readonly string[]): void {
    const missing = ids.filter((id) => !this.#letters.has(id));
    if (missing.length > 0) throw notFound(missing);
  }

  /** Of the event with this id, and of all that were sent under it as their correlation id. */
  idsOf(id: string): string[] {
    return [...this.#letters.values()].filter(({ letter }) => letter.eventId === id || letter.correlationId === id).map(({ letter }) => letter.id);
  }

  ids(): string[] {
    return [...this.#letters.keys()];
  }

  /** All of them if no ids are given. If one of those that are given is not there, none is removed. */
  discard(ids: readonly string[] = this.ids()): number {
    this.requireAll(ids);
    return this.remove(ids);
  }

  /** Answers how many of them there were. */
  remove(ids: readonly string[]): number {
    let removed = 0;
    for (const id of ids) {
      const kept = this.#letters.get(id);
      if (kept === undefined) continue;
      this.#drop(kept);
      removed += 1;
    }
    if (removed > 0) this.#file?.changed();
    return removed;
  }

  /** Lets go of the disk, after what is still to be written or at the deadline; true when all was written. */
  async close(deadlineMs: number): Promise<boolean> {
    return (await this.#file?.close(deadlineMs)) ?? true;
  }

  #keep({ event: _event, ...letter }: DeadLetterWithEvent, line: string): void {
    const before = this.#letters.get(letter.id);
    if (before !== undefined) this.#drop(before);
    const kept: Kept = { letter, line, bytes: Buffer.byteLength(line) };
    this.#letters.set(letter.id, kept);
    this.#bytes += kept.bytes;
    for (const oldest of this.#letters.values()) {
      if (this.#letters.size <= this.#limits.deadLetters && this.#bytes <= this.#limits.deadLetterBytes) break;
      this.#drop(oldest);
      this.#evicted += 1;
    }
  }

  #drop({ letter, bytes }: Kept): void {
    this.#letters.delete(letter.id);
    this.#bytes -= bytes;
  }

  /** Taken whole at the moment of the write, so that what comes meanwhile is the next write's. */
  #lines(pluginId: string): string[] {
    return [headLine(pluginId, this.#letters.size), ...[...this.#letters.values()].map(({ line }) => `${line}\n`)];
  }
}

/** Of a refusal's list of ids. */
const shownIds = 20;

function notFound(ids: readonly string[]): HostError {
  const [id = '', ...others] = ids;
  const more = others.length === 0 ? '' : `, nor ${plural(others.length, 'other')} of those that were named`;
  return new HostError('dead_letter_not_found', `There is no dead letter ${id}${more}.`, { id, ids: ids.slice(0, shownIds) });
}
