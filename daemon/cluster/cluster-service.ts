// A service whose place is in the cluster, as the cluster and the host see it, whatever its placement.
import type {
  ArrivedEvent,
  ClusterFault,
  FromCluster,
  HeldPartition,
  LeaseHolder,
  LeaseTime,
  PlacedService as PlacedTerms,
  PlacedState as StoredState,
  ToCluster,
} from '../../protocol/cluster/messages.ts';
import type { HostError } from '../../protocol/errors.ts';
import type { Placement } from '../../protocol/manifest.ts';
import type { Lifecycle } from '../../protocol/status.ts';
import type { ReadEvent } from '../dispatch/read-event.ts';
import type { Arrival, PlacedQueue } from '../services/placed.ts';

/** What of the service it needs. */
export interface InstanceService {
  readonly lifecycle: Lifecycle;
  take(event: ReadEvent, arrival: Arrival): boolean;
  stop(options?: { readonly now?: boolean }): Promise<unknown>;
  leaveQueue(): number;
}

export interface ClusterServiceDeps {
  readonly plugin: string;
  /** Throws where the plugin is not loaded. */
  service(): InstanceService;
  /** Rejects with what the start ended in. */
  start(): Promise<void>;
  post(message: ToCluster): void;
  /** What this member wants or holds is another. */
  changed(): void;
  /** Why the cluster cannot be reached; null where it can. */
  fault(): ClusterFault | null;
  /** This member takes nothing. */
  draining(): boolean;
  tell(level: 'info' | 'warn', message: string, fields: Readonly<Record<string, unknown>>): void;
}

export type Stored = (outcome: { readonly duplicate: boolean } | HostError) => void;

export interface ClusterService extends PlacedQueue {
  readonly plugin: string;
  readonly placement: Placement;
  /** Undefined where this member has no lease in force. */
  readonly fence: number | undefined;
  /** Those of a shared service that this member holds; undefined where it takes none. */
  readonly partitions: readonly HeldPartition[] | undefined;
  /** Each with a lease of its own. */
  readonly terms: readonly PlacedTerms[];
  has(unit: string): boolean;
  /** This member takes it where nobody has it. */
  want(): void;
  /** Resolves when the instance of this member runs; rejects with what its start ended in. */
  started(): Promise<void>;
  /** The instance was stopped here, by an operator: another member may have it. */
  standAside(): Promise<void>;
  /** Ends the instance in order, and gives its leases back. What has not begun goes to the next instance. */
  release(): Promise<void>;
  /** The daemon ends, and its services have: another member need not wait. */
  giveBack(): void;
  /** The member that answers for an event with this key, as far as is known. */
  memberFor(key: string | undefined): string | null;
  granted(unit: string, lease: Lease, state: StoredState | undefined): void;
  lost(unit: string, fence: number, why: string): void;
  /** The thread is gone, and with it every lease. */
  threadLost(): void;
  arrived(unit: string, fence: number, events: readonly ArrivedEvent[]): void;
  committed(message: Extract<FromCluster, { type: 'committed' }>): void;
  recorded(message: Extract<FromCluster, { type: 'recorded' }>): void;
  /** Members or holders of leases are others. */
  membersChanged(): void;
  close(): void;
}

export interface Lease {
  readonly fence: number;
  until: LeaseTime;
}

/** Why this member does not take a service that nobody has. */
export const laterText = (later: string): string =>
  `a daemon of ${later} has had it or published to it, and this one is older and does not understand what that has written: upgrade this member`;

export type HolderOf = (unit: string) => LeaseHolder | undefined;

/** `performance.now()` is the clock of `process.hrtime` from another moment on, and it costs less. */
const zeroMs = -performance.now() + Number(process.hrtime.bigint()) / 1e6;
const monotonicMs = (): number => zeroMs + performance.now();

/** On clocks that do not stand while the daemon is stopped. */
export const isBefore = (until: LeaseTime | undefined): boolean =>
  until !== undefined && monotonicMs() < until.monotonicMs && Date.now() < until.wallMs;

/** At least 1. */
export const leftMs = (until: LeaseTime): number =>
  Math.max(1, Math.ceil(Math.min(until.monotonicMs - monotonicMs(), until.wallMs - Date.now())));

export const placementPromises = { events: 'at_least_once', state: 'exactly_once', commands: 'at_least_once' } as const;
