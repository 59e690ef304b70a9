// A clock that stands still until a test moves it: timers run in the order of their due time, then of their making,
// and what was asked for `soon` runs after each, so that policy is tested without waiting and always the same way.
import type { Clock, Timer } from '../../daemon/time/clock.ts';

interface VirtualTimer extends Timer {
  readonly dueMs: number;
  readonly run: () => void;
}

/** More than any test needs in one step: beyond it two callbacks call each other for ever. */
const maxCallbacksInOneStep = 1_000_000;

export class VirtualClock implements Clock {
  #startWallMs: number;
  readonly #startMonotonicMs: number;
  /** Sorted by due time; of two with the same, the one made first stands first. */
  readonly #timers: VirtualTimer[] = [];
  #soon: (() => void)[] = [];
  #elapsedMs = 0;
  #moving = false;

  /** The two clocks begin far apart, so that code which mixes them up is found out. */
  constructor(startWallMs: number = Date.UTC(2030, 0, 1), startMonotonicMs = 5000) {
    this.#startWallMs = startWallMs;
    this.#startMonotonicMs = startMonotonicMs;
  }

  wallMs(): number {
    return this.#startWallMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#startMonotonicMs + this.#elapsedMs;
  }

  steadyMs(): number {
    return 2 * this.#startMonotonicMs + this.#elapsedMs;
  }

  fromCellMs(atMs: number): number {
    return atMs;
  }

  awakeOf(durationMs: number): number {
    return durationMs;
  }

  elapsedMs(sinceMs: number): number {
    return this.monotonicMs() - sinceMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const dueMs = this.#elapsedMs + Math.max(0, delayMs);
    const timer: VirtualTimer = { dueMs, run, cancel: () => this.#remove(timer) };
    this.#timers.splice(this.#placeAfter(dueMs), 0, timer);
    return timer;
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** As when somebody sets the clock: no time passes, and timers stay as they are. */
  setWall(wallMs: number): void {
    this.#startWallMs = wallMs - this.#elapsedMs;
  }

  /** Timers that have neither run nor been cancelled: a test of clean-up wants none. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Milliseconds until the next timer; undefined when there is none. */
  get nextTimerInMs(): number | undefined {
    const [next] = this.#timers;
    return next === undefined ? undefined : next.dueMs - this.#elapsedMs;
  }

  /** Runs what is due within this time, each timer at its own instant, and then stands at the end of it. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`time goes forward only, not by ${String(ms)} ms`);
    const untilMs = this.#elapsedMs + ms;
    this.#step((count) => {
      this.#runSoon(count);
      for (let next = this.#timers[0]; next !== undefined && next.dueMs <= untilMs; next = this.#timers[0]) {
        this.#timers.shift();
        this.#elapsedMs = next.dueMs;
        count();
        next.run();
        this.#runSoon(count);
      }
      this.#elapsedMs = untilMs;
    });
  }

  /** Runs what was asked for `soon`, and what that asks for in turn; time stands still. */
  drain(): void {
    this.#step((count) => this.#runSoon(count));
  }

  #step(move: (count: () => void) => void): void {
    if (this.#moving) throw new Error('a callback of the clock must not move the clock');
    let callbacks = 0;
    this.#moving = true;
    try {
      move(() => {
        callbacks += 1;
        if (callbacks > maxCallbacksInOneStep)
          throw new Error('callbacks of the clock keep asking for more without end');
      });
    } finally {
      this.#moving = false;
    }
  }

  #runSoon(count: () => void): void {
    while (this.#soon.length > 0) {
      const due = this.#soon;
      this.#soon = [];
      for (const [index, run] of due.entries()) {
        try {
          count();
          run();
        } catch (thrown) {
          // The test sees the error; what stood behind it still runs at the next step, before what came later.
          this.#soon = [...due.slice(index + 1), ...this.#soon];
          throw thrown;
        }
      }
    }
  }

  #placeAfter(dueMs: number): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#timers[middle]?.dueMs ?? Infinity) <= dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #remove(timer: VirtualTimer): void {
    const at = this.#timers.indexOf(timer);
    if (at !== -1) this.#timers.splice(at, 1);
  }
}
