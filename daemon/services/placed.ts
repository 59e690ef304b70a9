// A service of which one instance lives in a cluster, as the service itself sees it: its events wait in the cluster and
// not here, come to the member that has the instance, and go from there when they have had their outcome.
import type { HostError } from '../../protocol/errors.ts';
import type { AttemptStory } from '../../protocol/dead-letter.ts';
import type { Change } from '../../protocol/store/change.ts';
import type { StateStore } from '../dispatch/kept-state.ts';
import type { PlacementStatus } from '../../protocol/status.ts';
import type { EntryStore } from '../store/entry-store.ts';
import type { EventIds, QueuedEvent } from '../dispatch/queued-event.ts';

/** Of keys and values: together they are one message of the NATS server, which takes 1 MiB by default. */
const mostPlacedStateBytes = 256 * 1024;
/** Of one command, for the same reason. */
const mostPlacedCommandBytes = 512 * 1024;

export const placedLimits = (limits: { readonly stateBytes: number; readonly commandBytes: number }) => ({
  stateBytes: Math.min(limits.stateBytes, mostPlacedStateBytes),
  commandBytes: Math.min(limits.commandBytes, mostPlacedCommandBytes),
});

export interface Published extends EventIds {
  readonly duplicate: boolean;
}

export interface PlacedQueue {
  /** `answered` is told once the cluster has it, or why it has not. */
  publish(event: QueuedEvent, answered: (outcome: Published | HostError) => void): void;
  /** Stores what an event has changed, by `others` what is no state. Rejects only where the service is lost with it. */
  commit(
    changes: readonly Change[],
    event: Pick<QueuedEvent, 'origin' | 'partition'> | undefined,
    others: (changes: readonly Change[]) => Promise<void>,
  ): Promise<void>;
  /** Where its ctx.state is kept; `adopted` is told what it holds when the service comes to this member. */
  stateStore(adopted: (values: Iterable<readonly [key: string, json: string]>) => void): StateStore;
  /** Where its dead letters and commands are kept. */
  readonly records: EntryStore;
  readonly runs: RunMemory;
  /** What is kept in `records` belongs to the member that has the lease. */
  whenMoved(listener: MoveListener): void;
  /**
   * The partition of an event that is not stored; undefined where the service has none. Throws where this member does
   * not hold it.
   */
  partitionHere(event: Pick<QueuedEvent, 'key'>): number | undefined;
  /** Of the members that have an instance, this one listens to what would send the same to each. */
  readonly subscribes: boolean;
  /** This member has a lease in force: it may act. */
  readonly isInForce: boolean;
  status(): PlacementStatus;
}

/** Up to where the runs of its schedules are made, by whichever member: known while this one has the service. */
export interface RunMemory {
  lastRun(source: string, when: string): number | undefined;
  ran(source: string, when: string, atMs: number): void;
}

/** An event that is not stored, as it is handled here. Throws where its partition is another member's. */
export function inPartition(event: QueuedEvent, placed: PlacedQueue | undefined): QueuedEvent {
  const partition = placed?.partitionHere(event);
  return partition === undefined ? event : { ...event, partition };
}

/** Holds a copy of what is kept in the cluster. */
export interface MoveListener {
  /** The service comes to this member: what is kept can be read. */
  came(): Promise<unknown>;
  /** Resolves when what has changed here is kept there, or cannot be. Never rejects. */
  settled(): Promise<unknown>;
  /** It is another member's now. */
  went(): void;
}

/** Of what the store keeps of a service, what the cluster keeps if it is placed there. */
const recordTables: ReadonlySet<string> = new Set(['letters', 'commands', 'command-letters']);

/** Resolves when all of it is kept, where each belongs. */
export async function writeWherePlaced(
  changes: readonly Change[],
  placed: PlacedQueue | undefined,
  store: Pick<EntryStore, 'commit'>,
): Promise<void> {
  const there = placed === undefined ? [] : changes.filter(({ table }) => recordTables.has(table));
  const here = changes.filter((change) => !there.includes(change));
  if (here.length > 0 || there.length === 0) await store.commit(here);
  if (there.length > 0) await placed?.records.commit(there);
}

/** True: no attempt at it is of use here, and it is a dead letter. `unfit`: why it is no event of this service. */
export type IsBuried = (event: QueuedEvent, unfit: HostError | undefined) => boolean;

/** An event that comes out of the cluster's queue, beside what a sender says of it. */
export interface Arrival {
  readonly eventId: string;
  readonly createdAt: string;
  readonly origin: NonNullable<QueuedEvent['origin']>;
  readonly replayOf?: string | undefined;
  readonly hops?: number | undefined;
  readonly partition?: number | undefined;
  /** Attempts that failed on other members. */
  readonly story: readonly AttemptStory[];
  /** Counts those too that ended with their member. */
  readonly attempt: number;
}
