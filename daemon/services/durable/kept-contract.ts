// What the queue on disk needs of its service, and what it gathers for its next commit.
import type { Change } from '../../../protocol/store/change.ts';
import type { HostError } from '../../../protocol/errors.ts';
import type { ServiceCounters } from '../../../protocol/status.ts';
import type { Store } from '../../store/store.ts';
import type { Clock } from '../../time/clock.ts';
import type { IngressQueue } from '../../dispatch/ingress-queue.ts';
import type { QueuedEvent } from '../../dispatch/queued-event.ts';
import type { MovedEvent } from './event-page.ts';
import type { KeyLimits } from './idempotency-keys.ts';
import type { Guilt, Recovered } from './queue-recovery.ts';

export interface KeptQueueOptions {
  readonly pluginId: string;
  readonly store: Store;
  readonly stateFolder: string;
  readonly clock: Clock;
  readonly limits: KeyLimits & { readonly ackMs: number };
  /** `queue.maxBytes` of the service: half of it is read into memory at the start. */
  readonly residentBytes: number;
  /** Absent: it did not take the daemon before this one down. */
  readonly guilt?: Guilt;
  /** Runs once the present turn of the event loop is done. */
  readonly turnEnd?: (run: () => void) => void;
  onTrouble(message: string, error?: Error): void;
}

/** The service whose queue it is. */
export interface KeptOwner {
  readonly queue: IngressQueue;
  /** Counters as they are to be kept. */
  totals(): ServiceCounters;
  /** It is on disk: it counts as accepted from here on, and is queued. */
  accepted(event: QueuedEvent): void;
  /** One that is not stored has its place in the queue now: behind the place `after`, if that is not in memory. */
  follows(event: QueuedEvent, after: number | undefined): void;
  /** Events that come again, now or when they are due. */
  comesAgain(moved: readonly MovedEvent[]): void;
  /** An earlier daemon kept so much; what is in memory of it is in the queue. */
  recovered(counters: ServiceCounters, found: Recovered): void;
  /** There is something to hand over. */
  wake(): void;
  /** So many events are damaged on disk, and gone. */
  damaged(count: number): void;
}

export interface Offer {
  readonly event: QueuedEvent;
  /** What else happens with its acceptance. */
  readonly changes: readonly Change[];
  readonly answer: (error: HostError | undefined) => void;
}

/** An event that is not stored and came behind those that are being stored. */
export interface Follower {
  readonly follows: QueuedEvent;
}

export interface Effect {
  readonly event: QueuedEvent;
  readonly changes: readonly Change[];
  readonly done: () => void;
  readonly failed: (error: HostError) => void;
}

export const isOffer = (entry: Offer | Follower): entry is Offer => 'event' in entry;
export const isFollower = (entry: Offer | Follower): entry is Follower => !isOffer(entry);

/** The idempotency keys of what was offered, once it has its places. */
export const keysOfOffers = (offers: readonly Offer[]): { readonly key: string; readonly place: number }[] =>
  offers.flatMap(({ event: { idempotencyKey: key, place } }) =>
    key === undefined || place === undefined ? [] : [{ key, place }],
  );

/** The books when so many events more are accepted, and so many that are in them as open are handled. */
export const withOthers = (totals: ServiceCounters, accepted: number, handled: number): ServiceCounters => ({
  ...totals,
  enqueued: totals.enqueued + accepted,
  handled: totals.handled + handled,
  dispatched: totals.dispatched + handled,
});
