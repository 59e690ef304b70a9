// The dead letters of one service: bounded, oldest first, each with its whole story.
import type { DeadLetter, DeadLetterWithEvent } from '../../protocol/dead-letter.ts';
import { HostError } from '../../protocol/errors.ts';

export interface DeadLetterLimits {
  readonly deadLetters: number;
  readonly deadLetterBytes: number;
}

export class DeadLetters {
  readonly #limits: DeadLetterLimits;
  readonly #letters = new Map<string, DeadLetterWithEvent>();
  #bytes = 0;
  #evicted = 0;

  constructor(limits: DeadLetterLimits) {
    this.#limits = limits;
  }

  get counts(): { readonly count: number; readonly capacity: number; readonly evicted: number } {
    return { count: this.#letters.size, capacity: this.#limits.deadLetters, evicted: this.#evicted };
  }

  add(letter: DeadLetterWithEvent): void {
    this.#letters.set(letter.id, letter);
    this.#bytes += letter.bytes;
    for (const oldest of this.#letters.values()) {
      if (this.#letters.size <= this.#limits.deadLetters && this.#bytes <= this.#limits.deadLetterBytes) break;
      this.#drop(oldest);
      this.#evicted += 1;
    }
  }

  list(after: string | undefined, limit: number): { deadLetters: DeadLetter[]; total: number; evicted: number } {
    const all = [...this.#letters.values()];
    const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
    const deadLetters = all.slice(from, from + limit).map(({ event: _event, ...letter }) => letter);
    return { deadLetters, total: all.length, evicted: this.#evicted };
  }

  get(id: string): DeadLetterWithEvent {
    const letter = this.#letters.get(id);
    if (letter === undefined) throw new HostError('dead_letter_not_found', `There is no dead letter ${id}.`, { id });
    return letter;
  }

  ids(): string[] {
    return [...this.#letters.keys()];
  }

  /** All of them where no ids are given; answers how many there were. */
  remove(ids: readonly string[] = this.ids()): number {
    let removed = 0;
    for (const id of ids) {
      const letter = this.#letters.get(id);
      if (letter === undefined) continue;
      this.#drop(letter);
      removed += 1;
    }
    return removed;
  }

  #drop(letter: DeadLetterWithEvent): void {
    this.#letters.delete(letter.id);
    this.#bytes -= letter.bytes;
  }
}
