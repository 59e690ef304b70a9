// The service's books: every accepted event ends in exactly one outcome, and the books prove it at every instant.
// Attempts are counted beside outcomes, never instead of them.
import { strict as assert } from 'node:assert';
import type { ServiceCounters } from '../../protocol/status.ts';

export type Outcome = 'handled' | 'failed' | 'deadLettered' | 'discarded';
export type Rejection = keyof ServiceCounters['rejected'];
export type Attempt = 'dispatched' | 'timedOut' | 'crashed' | 'retried';

export class Ledger {
  #enqueued = 0;
  #restarts = 0;
  readonly #outcomes: Record<Outcome, number> = { handled: 0, failed: 0, deadLettered: 0, discarded: 0 };
  readonly #attempts: Record<Attempt, number> = { dispatched: 0, timedOut: 0, crashed: 0, retried: 0 };
  readonly #rejected: Record<Rejection, number> = { queueFull: 0, invalidEvent: 0, notAccepting: 0 };

  accept(): void {
    this.#enqueued += 1;
  }

  reject(why: Rejection): void {
    this.#rejected[why] += 1;
  }

  attempt(what: Attempt): void {
    this.#attempts[what] += 1;
  }

  settle(outcome: Outcome): void {
    this.#outcomes[outcome] += 1;
  }

  restarted(): void {
    this.#restarts += 1;
  }

  /** Accepted events without an outcome. */
  get open(): number {
    const { handled, failed, deadLettered, discarded } = this.#outcomes;
    return this.#enqueued - handled - failed - deadLettered - discarded;
  }

  /** The conservation equation: what has no outcome is queued or in flight, to the event. */
  assertBalanced(queued: number, inFlight: number): void {
    assert.equal(this.open, queued + inFlight, 'an event vanished or was counted twice');
  }

  counters(): ServiceCounters {
    return {
      enqueued: this.#enqueued,
      ...this.#attempts,
      ...this.#outcomes,
      restarts: this.#restarts,
      rejected: { ...this.#rejected },
    };
  }
}
