// A service of which one instance lives in a cluster, as the service itself sees it: its events wait in the cluster and
// not here, come to the member that has the instance, and go from there when they have had their outcome.
import type { HostError } from '../../protocol/errors.ts';
import type { Change } from '../../protocol/store/change.ts';
import type { StateStore } from '../dispatch/kept-state.ts';
import type { PlacementStatus } from '../../protocol/status.ts';
import type { EventIds, QueuedEvent } from '../dispatch/queued-event.ts';

/** Of keys and values: together they are one message of the NATS server, which takes 1 MiB by default. */
export const mostPlacedStateBytes = 256 * 1024;

export interface Published extends EventIds {
  readonly duplicate: boolean;
}

export interface PlacedQueue {
  /** `answered` is told once the cluster has it, or why it has not. */
  publish(event: QueuedEvent, answered: (outcome: Published | HostError) => void): void;
  /** Stores what an event has changed, by `others` what is no state. Rejects only where the service is lost with it. */
  commit(
    changes: readonly Change[],
    sequence: number | undefined,
    others: (changes: readonly Change[]) => Promise<void>,
  ): Promise<void>;
  /** Where its ctx.state is kept; `adopted` is told what it holds when the service comes to this member. */
  stateStore(adopted: (values: Iterable<readonly [key: string, json: string]>) => void): StateStore;
  status(): PlacementStatus;
}

/** An event that comes out of the cluster's queue, beside what a sender says of it. */
export interface Arrival {
  readonly eventId: string;
  readonly createdAt: string;
  readonly origin: NonNullable<QueuedEvent['origin']>;
  readonly replayOf?: string | undefined;
  readonly hops?: number | undefined;
}
