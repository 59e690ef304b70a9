// In whose turn cells are woken for what nobody waits for. To wake a thread, and to run one whose memory has gone cold, costs
// a hundred times the event it is woken for: where more services are busy than can run at once, the others let their
// events gather until one of those that run is done. A turn that is not given back ends by itself, so that no cell can
// hold up another.
import type { Clock } from '../time/clock.ts';

/** Longer than a batch of quick events takes. */
const defaultLongestMs = 2;
const lookMs = 1;

export class WakeTurns {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #longestMs: number;
  /** In the order of asking. */
  readonly #waiting = new Set<WakeTurn>();
  /** When each began, in that order. */
  readonly #running = new Map<WakeTurn, number>();
  #beginning = false;
  #looking = false;

  /** `most` run at once. */
  constructor(clock: Clock, most: number, longestMs: number = defaultLongestMs) {
    this.#clock = clock;
    this.#most = most;
    this.#longestMs = longestMs;
  }

  /** `send` hands over what there is; false: there was nothing, or nobody to take it. */
  join(send: () => boolean): WakeTurn {
    return new WakeTurn(this, send);
  }

  get contended(): boolean {
    return this.#waiting.size > 0;
  }

  runs(turn: WakeTurn): boolean {
    return this.#running.has(turn);
  }

  wait(turn: WakeTurn): void {
    this.#waiting.add(turn);
    this.#beginSoon();
  }

  end(turn: WakeTurn): void {
    this.#running.delete(turn);
    if (turn.asks) this.#waiting.add(turn);
    if (this.#waiting.size > 0) this.#beginSoon();
  }

  /** Turns that are too long are ended then. */
  lookLater(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#clock.after(lookMs, () => {
      this.#looking = false;
      const nowMs = this.#clock.monotonicMs();
      for (const [turn, beganMs] of this.#running) {
        if (nowMs - beganMs < this.#longestMs) break;
        this.end(turn);
      }
      this.#begin();
    });
  }

  /** When what happens now is over, so that events of one turn of the host travel in one batch. */
  #beginSoon(): void {
    if (this.#beginning) return;
    this.#beginning = true;
    this.#clock.soon(() => {
      this.#beginning = false;
      this.#begin();
    });
  }

  #begin(): void {
    for (const turn of this.#waiting) {
      // Whose cell is awake needs no place of its own.
      if (this.#running.size >= this.#most && !this.#running.has(turn)) break;
      this.#waiting.delete(turn);
      this.#running.delete(turn);
      if (turn.take()) this.#running.set(turn, this.#clock.monotonicMs());
    }
    if (this.#waiting.size > 0 || this.#someAskAgain()) this.lookLater();
  }

  #someAskAgain(): boolean {
    for (const turn of this.#running.keys()) {
      if (turn.asks) return true;
    }
    return false;
  }
}

/** One service's place among the others. */
export class WakeTurn {
  readonly #turns: WakeTurns;
  readonly #send: () => boolean;
  #asks = false;

  constructor(turns: WakeTurns, send: () => boolean) {
    this.#turns = turns;
    this.#send = send;
  }

  /** It has something to hand over. */
  get asks(): boolean {
    return this.#asks;
  }

  ask(): void {
    if (this.#asks) return;
    this.#asks = true;
    // What comes while it runs gathers as well, where others wait.
    if (this.#turns.contended && this.#turns.runs(this)) this.#turns.lookLater();
    else this.#turns.wait(this);
  }

  /** The cell has told how far it is. False: others come first, and what there is more is handed over in its next turn. */
  goesOn(hasMore: boolean): boolean {
    const others = this.#turns.contended;
    if (!this.#turns.runs(this)) {
      if (!hasMore || !others) return true;
      this.ask();
      return false;
    }
    if (hasMore && others) this.#asks = true;
    this.#turns.end(this);
    return !others;
  }

  take(): boolean {
    this.#asks = false;
    return this.#send();
  }
}
