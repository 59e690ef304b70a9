// The newest lines of one log, in memory, as the JSON they were written as: what `log.read` answers from, whatever
// the disk does. Bounded by lines and by bytes, since a thousand long lines are a thousand times a short one.
import type { LogLine } from '../../protocol/operations/telemetry.ts';
import { Ring } from './ring.ts';

const maxCharacters = 1024 * 1024;

export interface RecentLines {
  /** Oldest first. */
  readonly lines: LogLine[];
  /** There were older ones. */
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

  recent(limit: number): RecentLines {
    // Written by this process's own encoder: each is an object with level, time and msg.
    const lines = this.#lines.newest(limit).map((json) => JSON.parse(json) as LogLine);
    return { lines, truncated: this.#seen > lines.length };
  }

  #forget(json: string | undefined): void {
    this.#characters -= json?.length ?? 0;
  }
}
