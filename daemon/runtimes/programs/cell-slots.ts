// How many cells of workers there may be at once, over all workers. Whoever needs one beyond that gets the seat of the
// cell that has been idle for longest; where none is idle it waits its turn.
import type { Clock } from '../../time/clock.ts';

/** Of the time that a wait may last. */
const longShare = 0.25;

/** The right to one cell, from before it is made until it is gone. */
export interface CellSlot {
  /** Its cell has nothing to do; `leave` is called, once, when its seat is wanted. */
  idle(leave: () => void): void;
  busy(): void;
  release(): void;
}

export interface SeatWait {
  /** Nothing where the time was over, or the wait given up. */
  readonly seat: Promise<CellSlot | undefined>;
  giveUp(): void;
}

export class CellSlots {
  readonly #capacity: number;
  readonly #clock: Clock;
  #taken = 0;
  /** Asked to leave, and not gone yet. */
  #leaving = 0;
  /** In the order in which they became idle. */
  readonly #idle = new Map<CellSlot, () => void>();
  /** In the order in which they came, each with the time from which its wait is a long one. */
  readonly #waiting = new Map<(seat: CellSlot | undefined) => void, number>();

  constructor(capacity: number, clock: Clock) {
    this.#capacity = capacity;
    this.#clock = clock;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Somebody has waited for a good part of the time that it can wait: cells that could go on by right should leave. */
  get urgent(): boolean {
    const nowMs = this.#clock.monotonicMs();
    for (const longFromMs of this.#waiting.values()) if (longFromMs <= nowMs) return true;
    return false;
  }

  take(withinMs: number): SeatWait {
    if (this.#taken < this.#capacity) {
      this.#taken += 1;
      return { seat: Promise.resolve(this.#newSeat()), giveUp: () => {} };
    }
    let giveUp = (): void => {};
    const seat = new Promise<CellSlot | undefined>((resolve) => {
      const settle = (granted: CellSlot | undefined): void => {
        timer.cancel();
        this.#waiting.delete(settle);
        resolve(granted);
      };
      const timer = this.#clock.after(withinMs, () => settle(undefined));
      giveUp = () => settle(undefined);
      this.#waiting.set(settle, this.#clock.monotonicMs() + withinMs * longShare);
    });
    this.#makeRoom();
    return { seat, giveUp };
  }

  #newSeat(): CellSlot {
    let held = true;
    let leaving = false;
    const seat: CellSlot = {
      idle: (leave) => {
        if (!held || leaving) return;
        this.#idle.set(seat, () => {
          leaving = true;
          this.#leaving += 1;
          leave();
        });
        this.#makeRoom();
      },
      busy: () => void this.#idle.delete(seat),
      release: () => {
        if (!held) return;
        held = false;
        this.#idle.delete(seat);
        if (leaving) this.#leaving -= 1;
        this.#passOn();
      },
    };
    return seat;
  }

  /** One idle cell leaves for each that waits and has no seat coming. */
  #makeRoom(): void {
    for (const [seat, leave] of this.#idle) {
      if (this.#waiting.size <= this.#leaving) return;
      this.#idle.delete(seat);
      leave();
    }
  }

  #passOn(): void {
    const [next] = this.#waiting.keys();
    if (next === undefined) this.#taken -= 1;
    else next(this.#newSeat());
  }
}
