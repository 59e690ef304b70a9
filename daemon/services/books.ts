// The books of one service. They alone count what becomes of its events: every accepted event ends in exactly one
// outcome, attempts are counted beside outcomes and never instead of them, and the equation between the two can be
// checked at any time.
import { Histogram } from '../../protocol/cell/histogram.ts';
import type { ServiceCounters } from '../../protocol/status.ts';
import type { QueuedEvent } from '../dispatch/queued-event.ts';
import type { PluginAccount } from '../files/loss-account.ts';
import type { Clock } from '../time/clock.ts';
import type { EventTrail } from './event-trail.ts';

export type Outcome = 'handled' | 'failed' | 'deadLettered' | 'discarded';
export type Rejection = keyof ServiceCounters['rejected'];
export type LostAttempt = 'timedOut' | 'crashed' | 'threw';
export type DiscardReason = 'service_stopped' | 'service_failed' | 'caller_gave_up' | 'not_kept' | 'moved' | 'damaged';

export interface BooksDeps {
  readonly clock: Clock;
  readonly trail: EventTrail;
  /** Is told how many events would be lost with the daemon. */
  readonly account: Pick<PluginAccount, 'add'>;
  /** A replay of a dead letter has its outcome. */
  readonly replayEnded?: (deadLetter: string, outcome: Outcome) => void;
}

export const nothingCounted: ServiceCounters = {
  enqueued: 0,
  dispatched: 0,
  handled: 0,
  failed: 0,
  timedOut: 0,
  crashed: 0,
  threw: 0,
  retried: 0,
  deadLettered: 0,
  discarded: 0,
  restarts: 0,
  recovered: 0,
  duplicates: 0,
  rejected: { queueFull: 0, invalidEvent: 0, notAccepting: 0 },
};

export class Books {
  /** What became of the newest events. */
  readonly trail: EventTrail;
  /** From the acceptance of an event to its outcome. */
  readonly latency = new Histogram();
  readonly #clock: Clock;
  readonly #account: Pick<PluginAccount, 'add'>;
  readonly #replayEnded: BooksDeps['replayEnded'];
  readonly #outcomes: Record<Outcome, number>;
  readonly #lost: Record<LostAttempt, number>;
  readonly #rejected: Record<Rejection, number>;
  readonly #discardedFor: Record<DiscardReason, number> = {
    service_stopped: 0,
    service_failed: 0,
    caller_gave_up: 0,
    not_kept: 0,
    moved: 0,
    damaged: 0,
  };
  #enqueued: number;
  #dispatched: number;
  #retried: number;
  #restarts: number;
  #recovered: number;
  #duplicates: number;
  #open: number;
  /** Of these, events that are in memory alone. */
  #inMemory = 0;

  /**
   * `saved`: what `totals` returned when these books were last closed. Accepted events that had no outcome then are
   * open again, so the queue has to hold them.
   */
  constructor({ clock, trail, account, replayEnded }: BooksDeps, saved: ServiceCounters = nothingCounted) {
    this.#clock = clock;
    this.trail = trail;
    this.#account = account;
    this.#replayEnded = replayEnded;
    const { handled, failed, deadLettered, discarded, timedOut, crashed, threw } = saved;
    this.#outcomes = { handled, failed, deadLettered, discarded };
    this.#lost = { timedOut, crashed, threw };
    this.#rejected = { ...saved.rejected };
    this.#enqueued = saved.enqueued;
    this.#dispatched = saved.dispatched;
    this.#retried = saved.retried;
    this.#restarts = saved.restarts;
    this.#recovered = saved.recovered;
    this.#duplicates = saved.duplicates;
    this.#open = openOf(saved);
  }

  /** Goes on with counters that could not be read before. */
  goOn(saved: ServiceCounters): void {
    for (const outcome of ['handled', 'failed', 'deadLettered', 'discarded'] as const)
      this.#outcomes[outcome] += saved[outcome];
    for (const lost of ['timedOut', 'crashed', 'threw'] as const) this.#lost[lost] += saved[lost];
    for (const why of ['queueFull', 'invalidEvent', 'notAccepting'] as const)
      this.#rejected[why] += saved.rejected[why];
    this.#enqueued += saved.enqueued;
    this.#dispatched += saved.dispatched;
    this.#retried += saved.retried;
    this.#restarts += saved.restarts;
    this.#recovered += saved.recovered;
    this.#duplicates += saved.duplicates;
    this.#open += openOf(saved);
  }

  /** Accepted events that have no outcome yet. */
  get open(): number {
    return this.#open;
  }

  /** `stored`: it is not lost with the daemon. */
  accepted(stored = false): void {
    this.#enqueued += 1;
    this.#open += 1;
    if (stored) return;
    this.#inMemory += 1;
    this.#account.add('events', 1);
  }

  /** It was accepted before. */
  duplicate(): void {
    this.#duplicates += 1;
  }

  rejected(why: Rejection): void {
    this.#rejected[why] += 1;
  }

  /** An attempt has ended, whatever comes of the event. Attempts that are executing are counted by `counters`. */
  attempted({ attempt }: { readonly attempt: number }): void {
    this.#dispatched += 1;
    if (attempt > 1) this.#retried += 1;
  }

  /** An attempt ended without an outcome for its event. Whether there is another attempt is decided elsewhere. */
  lost(event: QueuedEvent, how: LostAttempt, incarnation: number, handlerMs?: number): void {
    this.attempted(event);
    this.#lost[how] += 1;
    this.trail.record(event, how, incarnation, this.#clock.monotonicMs(), handlerMs);
  }

  /** Gives an event its one outcome. Returns how many milliseconds after its acceptance that is. */
  settled(event: QueuedEvent, outcome: Outcome, incarnation: number, handlerMs?: number): number {
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = nowMs - event.acceptedMs;
    this.#outcomes[outcome] += 1;
    this.#open -= 1;
    if (event.place === undefined) {
      this.#inMemory -= 1;
      this.#account.add('events', -1);
    }
    this.trail.record(event, outcome, incarnation, nowMs, handlerMs);
    if (outcome !== 'discarded') this.latency.record(sinceMs);
    if (event.replayOf !== undefined) this.#replayEnded?.(event.replayOf, outcome);
    return sinceMs;
  }

  discarded(event: QueuedEvent, reason: DiscardReason, incarnation: number): void {
    this.#discardedFor[reason] += 1;
    this.settled(event, 'discarded', incarnation);
  }

  /** Events that were never in memory, and of which nothing but their number is known. */
  discardedUnseen(count: number, reason: DiscardReason): void {
    this.#discardedFor[reason] += count;
    this.#outcomes.discarded += count;
    this.#open -= count;
  }

  /** How many events were discarded for this reason since these books were opened. */
  discardedFor(reason: DiscardReason): number {
    return this.#discardedFor[reason];
  }

  restarted(): void {
    this.#restarts += 1;
  }

  /**
   * The conservation equation: 0, or how many accepted events are neither settled nor among the `here` that are queued
   * or in flight. A negative number says that so many were counted twice.
   */
  unaccounted(here: number): number {
    const { handled, failed, deadLettered, discarded } = this.#outcomes;
    return this.#enqueued - handled - failed - deadLettered - discarded - here;
  }

  /** What is kept for the books of the next daemon: only attempts that have ended. */
  totals(): ServiceCounters {
    return {
      enqueued: this.#enqueued,
      dispatched: this.#dispatched,
      ...this.#lost,
      retried: this.#retried,
      ...this.#outcomes,
      restarts: this.#restarts,
      recovered: this.#recovered,
      duplicates: this.#duplicates,
      rejected: { ...this.#rejected },
    };
  }

  /** As `totals`, without accepted events that have no outcome and are lost with the daemon. */
  kept(): ServiceCounters {
    return { ...this.totals(), enqueued: this.#enqueued - this.#inMemory };
  }

  /** `begun`: the events that have begun and have no outcome yet. */
  counters(begun: readonly { readonly attempt: number }[] = []): ServiceCounters {
    const totals = this.totals();
    const retried = totals.retried + begun.filter(({ attempt }) => attempt > 1).length;
    return { ...totals, dispatched: totals.dispatched + begun.length, retried };
  }
}

const openOf = ({ enqueued, handled, failed, deadLettered, discarded }: ServiceCounters): number =>
  enqueued - handled - failed - deadLettered - discarded;
