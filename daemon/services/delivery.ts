// One who waits for an event's outcome, and for how long.
import type { HostError } from '../../protocol/errors.ts';
import type { Deadline, Deadlines } from '../time/deadlines.ts';
import type { Handled, Waiter } from '../dispatch/queued-event.ts';

export class Delivery implements Waiter {
  readonly #waiter: Waiter;
  readonly #deadlines: Deadlines;
  #deadline: Deadline | undefined;

  constructor(waiter: Waiter, deadlines: Deadlines) {
    this.#waiter = waiter;
    this.#deadlines = deadlines;
  }

  due(fromMs: number, timeoutMs: number, pass: () => void): void {
    this.#deadline = this.#deadlines.set(fromMs, timeoutMs, pass);
  }

  handled(outcome: Handled): void {
    this.#lift();
    this.#waiter.handled(outcome);
  }

  refused(error: HostError): void {
    this.#lift();
    this.#waiter.refused(error);
  }

  #lift(): void {
    if (this.#deadline !== undefined) this.#deadlines.lift(this.#deadline);
  }
}
