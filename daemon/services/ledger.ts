// The service's books: every accepted event ends in exactly one outcome, and the books prove it at every instant.
// Attempts are counted beside outcomes, never instead of them.
import { strict as assert } from 'node:assert';
import type { ServiceCounters } from '../../protocol/status.ts';

export type Outcome = 'handled' | 'failed' | 'deadLettered' | 'discarded';
export type Rejection = keyof ServiceCounters['rejected'];
export type LostAttempt = 'timedOut' | 'crashed';

export class Ledger {
  #enqueued = 0;
  #restarts = 0;
  readonly #outcomes: Record<Outcome, number> = { handled: 0, failed: 0, deadLettered: 0, discarded: 0 };
  #dispatched = 0;
  #retried = 0;
  readonly #lost: Record<LostAttempt, number> = { timedOut: 0, crashed: 0 };
  readonly #rejected: Record<Rejection, number> = { queueFull: 0, invalidEvent: 0, notAccepting: 0 };

  accept(): void {
    this.#enqueued += 1;
  }

  reject(why: Rejection): void {
    this.#rejected[why] += 1;
  }

  /** An attempt has ended; those that are executing are counted by `counters`. */
  attempted({ attempt }: { readonly attempt: number }): void {
    this.#dispatched += 1;
    if (attempt > 1) this.#retried += 1;
  }

  lose(how: LostAttempt): void {
    this.#lost[how] += 1;
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

  /** `begun`: the events that have begun and have no outcome yet. */
  counters(begun: readonly { readonly attempt: number }[] = []): ServiceCounters {
    return {
      enqueued: this.#enqueued,
      dispatched: this.#dispatched + begun.length,
      ...this.#lost,
      retried: this.#retried + begun.filter(({ attempt }) => attempt > 1).length,
      ...this.#outcomes,
      restarts: this.#restarts,
      rejected: { ...this.#rejected },
    };
  }
}
