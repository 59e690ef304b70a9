// One timer that looks at every thread cell: quickly while any of them works, slowly while all rest. A timer a cell
// would keep a daemon with many idle services awake.

import { awakeTime } from '../time/awake-time.ts';

export interface WatchedCell {
  /** Answers whether the cell did anything since the last look. */
  look(nowMs: number): boolean;
}

/** Memory may grow by half a megabyte a millisecond. */
const lookMs = 50;
const restingLookMs = 250;

export class CellWatch {
  readonly #cells = new Set<WatchedCell>();
  #timer: NodeJS.Timeout | undefined;
  #resting = false;

  /** A look that is due soon stays as it is: cells that come one after the other must not put it off for ever. */
  add(cell: WatchedCell): void {
    this.#cells.add(cell);
    if (this.#timer === undefined || this.#resting) this.#lookIn(lookMs);
  }

  remove(cell: WatchedCell): void {
    this.#cells.delete(cell);
    if (this.#cells.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** A cell was given something to do. */
  wake(): void {
    if (this.#resting) this.#lookIn(lookMs);
  }

  #lookIn(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#resting = delayMs === restingLookMs;
    this.#timer = setTimeout(() => this.#look(), delayMs).unref();
  }

  #look(): void {
    this.#timer = undefined;
    const nowMs = awakeTime.nowMs();
    let active = false;
    for (const cell of this.#cells) active = cell.look(nowMs) || active;
    if (this.#cells.size > 0) this.#lookIn(active ? lookMs : restingLookMs);
  }
}

/** All thread cells of the daemon. */
export const cellWatch = new CellWatch();
