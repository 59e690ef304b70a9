// How often the host wakes cells for what nobody waits for. To wake a thread costs more than the event it is woken for: with
// a handful of busy services that is shared by many events, with hundreds it is not, and would take the host's whole time.
// Beyond so many in a second services are woken in turn, and their events gather meanwhile.
import type { Clock } from '../clock.ts';

/** A tenth of the host's time or less. */
const wakesPerMs = 10;
/** As many services may be woken at once before that counts. */
const burst = 64;
const turnMs = 1;

export class WakeBudget {
  readonly #clock: Clock;
  /** Each asks once until it is woken: no more of them than there are services. */
  #waiting: (() => void)[] = [];
  #left = burst;
  #countedMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#countedMs = clock.monotonicMs();
  }

  /** `wake` runs when this turn's work is done, or when it is its turn. */
  ask(wake: () => void): void {
    if (this.#waiting.length === 0 && this.#take()) {
      this.#clock.soon(wake);
      return;
    }
    this.#waiting.push(wake);
    if (this.#waiting.length === 1) this.#goOnLater();
  }

  #take(): boolean {
    const nowMs = this.#clock.monotonicMs();
    this.#left = Math.min(burst, this.#left + (nowMs - this.#countedMs) * wakesPerMs);
    this.#countedMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }

  #goOnLater(): void {
    this.#clock.after(turnMs, () => {
      let woken = 0;
      while (woken < this.#waiting.length && this.#take()) {
        this.#waiting[woken]?.();
        woken += 1;
      }
      this.#waiting = this.#waiting.slice(woken);
      if (this.#waiting.length > 0) this.#goOnLater();
    });
  }
}
