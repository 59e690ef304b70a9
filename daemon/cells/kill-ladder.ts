// The kill ladder: ask (abort signal), then end (terminate), then give up. Each rung has its time, so that nobody
// ever waits for a cell that does not end.

import { awakeTime } from '../time/awake-time.ts';
import type { Timer } from '../time/clock.ts';

export interface KillLimits {
  /** What a cooperative plugin gets between the abort signal and its end. */
  readonly abortGraceMs: number;
  /** From the end's order to giving up. */
  readonly killMs: number;
}

export interface Rungs {
  abort(reason: string): void;
  terminate(): void;
  giveUp(): void;
}

export class KillLadder {
  readonly #limits: KillLimits;
  readonly #rungs: Rungs;
  #timer: Timer | undefined;
  #climbing = false;
  #terminating = false;
  #over = false;

  constructor(limits: KillLimits, rungs: Rungs) {
    this.#limits = limits;
    this.#rungs = rungs;
  }

  /** Whether the host has ordered the end. */
  get climbing(): boolean {
    return this.#climbing;
  }

  climb(reason: string): void {
    if (this.#climbing || this.#over) return;
    this.#climbing = true;
    this.#rungs.abort(reason);
    this.#timer = awakeTime.after(this.#limits.abortGraceMs, () => this.terminate());
  }

  /** Straight to the second rung. */
  terminate(): void {
    if (this.#terminating || this.#over) return;
    this.#climbing = true;
    this.#terminating = true;
    this.#timer?.cancel();
    // A cell without a thread or process is gone at once, and takes the timer with it.
    this.#timer = awakeTime.after(this.#limits.killMs, () => this.#rungs.giveUp());
    this.#rungs.terminate();
  }

  /** The cell is gone, for good: its last word may be read after its end, and must not start the ladder again. */
  stop(): void {
    this.#over = true;
    this.#timer?.cancel();
  }
}
