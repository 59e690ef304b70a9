// Rations wake-ups of cells for events that have no waiting caller. To wake a thread, and to run one whose memory has
// gone cold, costs a hundred times the event it is woken for: where more services are busy than can run at once, the
// others let their events gather until one of those that run is done. A turn that is not given back ends by itself, so
// that no cell can hold up another.
import type { Clock } from '../time/clock.ts';
import type { IngressQueue } from './ingress-queue.ts';
import type { Lane } from './lane.ts';
import { Pacer } from './pacer.ts';

/** Longer than a batch of quick events takes. */
const defaultLongestMs = 2;
const lookMs = 1;

export type WakeTurnQueue = Pick<IngressQueue, 'ready' | 'awaited'>;
export type WakeTurnLane = Pick<Lane, 'pump'>;

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

  /** For the service whose events this queue holds. */
  join(queue: WakeTurnQueue): WakeTurn {
    return new WakeTurn(this, queue, this.#clock);
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

/**
 * The pacer of one service: it hands over at once what somebody waits for, and the rest in its turn among the other
 * services.
 */
export class WakeTurn extends Pacer {
  readonly #turns: WakeTurns;
  readonly #queue: WakeTurnQueue;
  readonly #clock: Clock;
  #lane: WakeTurnLane | undefined;
  #asks = false;
  #hurries = false;
  readonly #pumpNow = (): void => {
    this.#hurries = false;
    this.#lane?.pump();
  };

  constructor(turns: WakeTurns, queue: WakeTurnQueue, clock: Clock) {
    super();
    this.#turns = turns;
    this.#queue = queue;
    this.#clock = clock;
  }

  /** From here on the queue is handed over to this lane. */
  feed(lane: WakeTurnLane): void {
    this.#lane = lane;
    lane.pump();
  }

  /** The cell of this lane is gone. */
  leave(lane: WakeTurnLane): void {
    if (this.#lane === lane) this.#lane = undefined;
  }

  /** It has something to hand over. */
  get asks(): boolean {
    return this.#asks;
  }

  override get othersWait(): boolean {
    return this.#turns.contended;
  }

  /** Something was queued that nobody waits for: where many services are busy, it may gather. */
  ask(): void {
    if (this.#asks || this.#hurries || this.#lane === undefined) return;
    this.#askForTurn();
  }

  /** Something was queued that somebody waits for: it is handed over with all that comes in this turn of the host. */
  hurry(): void {
    if (this.#hurries || this.#lane === undefined) return;
    this.#hurries = true;
    this.#clock.soon(this.#pumpNow);
  }

  /**
   * False: others come first, and what there is more is handed over in its next turn. An event that somebody waits for
   * is never held back.
   */
  override mayGoOn(): boolean {
    return this.#keepsTurn(this.#queue.ready > 0) || this.#queue.awaited > 0;
  }

  /** Hands over what there is. False: there was nothing, or nobody to take it. */
  take(): boolean {
    this.#asks = false;
    return this.#lane?.pump() === true;
  }

  #askForTurn(): void {
    this.#asks = true;
    // What comes while it runs gathers as well, where others wait.
    if (this.#turns.contended && this.#turns.runs(this)) this.#turns.lookLater();
    else this.#turns.wait(this);
  }

  /** The cell has told how far it is. */
  #keepsTurn(hasMore: boolean): boolean {
    const others = this.#turns.contended;
    if (!this.#turns.runs(this)) {
      if (!hasMore || !others) return true;
      if (!this.#asks) this.#askForTurn();
      return false;
    }
    if (hasMore && others) this.#asks = true;
    this.#turns.end(this);
    return !others;
  }
}
