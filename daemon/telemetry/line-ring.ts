// The newest lines of one log, in memory, as the JSON they were written as: what `log.read` answers from, whatever
// the disk does. Bounded by lines and by bytes, since a thousand long lines are a thousand times a short one.
import type { LogLine } from '../../protocol/operations/telemetry.ts';
import { type LogQuery, isWanted } from './log-query.ts';
import { Ring } from './ring.ts';

const maxCharacters = 1024 * 1024;

export interface RecentLines {
  /** Oldest first. */
  readonly lines: LogLine[];
  /** There were older ones that are wanted, or may be. */
  readonly truncated: boolean;
}

export class LineRing {
  readonly #lines: Ring<string>;
  #characters = 0;
  #seen = 0;

  constructor(capacity: number) {
    this.#lines = new Ring(capacity);
  }

  push(json: string): void {
    this.#seen += 1;
    this.#characters += json.length;
    this.#forget(this.#lines.push(json));
    while (this.#characters > maxCharacters && this.#lines.size > 1) this.#forget(this.#lines.shift());
  }

  /** Lines that were ever written to it. */
  get seen(): number {
    return this.#seen;
  }

  recent(query: LogQuery): RecentLines {
    const lines: LogLine[] = [];
    const kept = this.texts();
    let at = kept.length;
    while (at > 0 && lines.length < query.limit) {
      at -= 1;
      // Written by this process's own encoder: each is an object with level, time and msg.
      const line = JSON.parse(kept[at] ?? '') as LogLine;
      if (isWanted(line, query)) lines.push(line);
    }
    return { lines: lines.reverse(), truncated: at > 0 || this.#seen > kept.length };
  }

  /** Wanted lines that came after so many had been seen. */
  after(seen: number, query: LogQuery): LogLine[] {
    return this.#lines
      .newest(this.#seen - seen)
      .map((json) => JSON.parse(json) as LogLine)
      .filter((line) => isWanted(line, query));
  }

  /** Oldest first. */
  texts(): string[] {
    return this.#lines.newest(this.#lines.size);
  }

  #forget(json: string | undefined): void {
    this.#characters -= json?.length ?? 0;
  }
}
