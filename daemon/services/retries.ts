// The events of one service that wait for their next attempt. They stay in the queue, which counts them and keeps their
// order; one timer, for the event that is due first, makes them ready.
import type { IngressQueue } from '../dispatch/ingress-queue.ts';
import type { QueuedEvent } from '../dispatch/queued-event.ts';
import type { WakeTurn } from '../dispatch/wake-turns.ts';
import type { Clock, Timer } from '../time/clock.ts';

export interface RetriesDeps {
  readonly queue: IngressQueue;
  readonly turn: WakeTurn;
  readonly clock: Clock;
}

export class Retries {
  readonly #deps: RetriesDeps;
  #timer: Timer | undefined;
  #timerDueMs: number | undefined;

  constructor(deps: RetriesDeps) {
    this.#deps = deps;
  }

  /** `holds`: no other event is handled before this one. */
  wait(event: QueuedEvent, delayMs: number, holds: boolean): void {
    const { queue, clock } = this.#deps;
    queue.wait(event, clock.monotonicMs() + delayMs, holds);
    this.rearm();
  }

  /** After events were taken out of the queue as well: a timer that nothing waits for is cancelled. */
  rearm(): void {
    const { queue, clock } = this.#deps;
    const dueMs = queue.nextDueMs;
    if (dueMs === this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerDueMs = dueMs;
    if (dueMs === undefined) return;
    // Timers may fire a little early; a millisecond keeps them from spinning.
    this.#timer = clock.after(Math.max(1, Math.ceil(dueMs - clock.monotonicMs())), () => this.#release());
  }

  #release(): void {
    const { queue, turn, clock } = this.#deps;
    this.#timerDueMs = undefined;
    if (queue.release(clock.monotonicMs()) > 0) {
      if (queue.awaited > 0) turn.hurry();
      else turn.ask();
    }
    this.rearm();
  }
}
