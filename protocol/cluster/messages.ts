// What the host and the cluster's thread tell each other. Both sides are this program's own; what came from the NATS
// server has been parsed and bounded by the thread.
import type { ErrorCode } from '../errors.ts';
import type { RuntimeCapabilities } from '../runtime.ts';
import type { Change } from '../store/change.ts';

/**
 * What members say to each other and what they write for each other. Calls of a member with another number are refused
 * by name, and a service that one with a greater number has had is not taken back by one with a lesser.
 */
export const clusterProtocol = 1;

/**
 * What has one live instance: a plugin's service as a whole, by the plugin's id; with the placement `each` the instance
 * of a member, by `<plugin>/<member>`; with `shared` a partition, by `<plugin>/_<number>`. In the messages it stands as
 * `plugin`.
 */
export const unitOf = (plugin: string, member: string): string => `${plugin}/${member}`;

/** Of a service that the members share. The same for all: it decides to which partition a key belongs. */
export const partitionCount = 8;
/** No member has such a name. */
export const partitionUnit = (plugin: string, partition: number): string => `${plugin}/_${String(partition)}`;
/** Undefined for a unit that is no partition. */
export const sharedPluginOf = (unit: string): string | undefined => /^(.+)\/_\d+$/.exec(unit)?.[1];

/** A unit where NATS takes neither dot nor slash: in names of streams, in keys, and as one part of a subject. */
export const tokenOf = (unit: string): string => unit.replaceAll('.', '=').replace('/', '=E=');
export const pluginOf = (token: string): string => token.replace('=E=', '/').replaceAll('=', '.');

export interface ClusterData {
  readonly name: string;
  readonly member: string;
  /** Stays the same over restarts of the daemon: its state folder's. */
  readonly instance: string;
  /** Another for each life of the daemon, and the same for each of its threads. */
  readonly session: string;
  /** Of the daemon. */
  readonly version: string;
  readonly servers: readonly string[];
  readonly credentials?:
    string | { readonly user: string; readonly passwordEnv: string } | { readonly tokenEnv: string };
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  readonly leaseMs: number;
  /** How long the server may take to answer. */
  readonly requestMs: number;
  /** Of the JSON that other members send. */
  readonly nesting: number;
  /** Of one message of another member. */
  readonly messageBytes: number;
  readonly pending: number;
}

export type Placement = 'here' | 'one' | 'each' | 'shared';

export interface MemberService {
  readonly plugin: string;
  readonly placement: Placement;
  /** Of the instance on this member. */
  readonly lifecycle: string;
  /** Under which the instance acts, where only one may. */
  readonly fence: number | null;
  /** Of a shared service: those that this member holds. Absent where it takes none, and for other placements. */
  readonly partitions?: readonly HeldPartition[];
}

export interface HeldPartition {
  readonly partition: number;
  readonly fence: number;
}

export type MemberState = 'active' | 'draining' | 'lost';

/** A place that owns workers, on a member. */
export interface MemberRuntime {
  readonly runtimeId: string;
  readonly displayName: string;
  readonly capabilities: RuntimeCapabilities;
}

/** What a member says of itself with each heartbeat. */
export interface Announcement {
  readonly state: 'active' | 'draining';
  readonly services: readonly MemberService[];
  /** Loaded plugins that have tools. */
  readonly tools: readonly string[];
  readonly runtimes: readonly MemberRuntime[];
}

export interface MemberRecord extends Announcement {
  readonly member: string;
  readonly version: string;
  readonly protocol: number;
  /** Another for each life of a daemon. */
  readonly session: string;
}

export interface MemberView extends Omit<MemberRecord, 'state' | 'session'> {
  readonly state: MemberState;
  readonly self: boolean;
}

/** A service of which one instance lives in the cluster. */
export interface PlacedService {
  readonly plugin: string;
  /** Of its stream. */
  readonly capacity: number;
  readonly maxBytes: number;
  readonly dedupeMs: number;
  /** Events that the instance may have without having ended them. */
  readonly inFlight: number;
  /** This member takes it where nobody has it. */
  readonly wanted: boolean;
}

export interface LeaseHolder {
  readonly plugin: string;
  /** Null: nobody has it. */
  readonly member: string | null;
  readonly fence: number;
  /** Of which version a daemon has written what this one does not understand: it does not take the lease. */
  readonly later?: string;
}

export interface ClusterFault {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface Publication {
  readonly id: number;
  readonly plugin: string;
  /** What comes twice under the same id is stored once. */
  readonly messageId: string;
  /** The head as JSON, a line's end, and the payload as JSON. */
  readonly body: string;
}

/** Until when a lease is this member's, on clocks that do not stand while the daemon is stopped. */
export interface LeaseTime {
  /** Of `process.hrtime`. */
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/** What a service keeps in ctx.state, in the cluster. */
export interface PlacedState {
  /** Each with its value as JSON. */
  readonly values: readonly (readonly [key: string, json: string])[];
  /** Events whose changes are in it, by their place in the stream; those that were handled last. */
  readonly handled: readonly number[];
  /** What is kept of single events. */
  readonly records: readonly StoredRecord[];
  /** Absent where the lease before this one was given back in order. */
  readonly lost?: LostTenure;
}

/** A lease that ended without being given back in order. */
export interface LostTenure {
  /** Events up to this place in the stream may have begun under it. */
  readonly upTo: number;
  /** Its member is not heard of any more. */
  readonly died: boolean;
}

/** As an entry of the store would be, and kept in the cluster. */
export interface StoredRecord {
  readonly table: string;
  readonly key: string;
  readonly value: string;
}

export type ToCluster =
  | { readonly type: 'announce'; readonly announcement: Announcement }
  /** The whole list. */
  | { readonly type: 'placed'; readonly services: readonly PlacedService[] }
  /** The instance runs: its events may come. */
  | { readonly type: 'consume'; readonly plugin: string; readonly fence: number }
  /** `cutOff`: not in order; events had begun. */
  | { readonly type: 'release'; readonly plugin: string; readonly fence: number; readonly cutOff?: true }
  | {
      readonly type: 'commit';
      readonly id: number;
      readonly plugin: string;
      readonly fence: number;
      readonly handled: readonly number[];
      /** One JSON object. */
      readonly values: string;
    }
  | {
      readonly type: 'record';
      readonly id: number;
      readonly plugin: string;
      readonly fence: number;
      readonly changes: readonly Change[];
    }
  | { readonly type: 'publish'; readonly events: readonly Publication[] }
  /** These events have had their outcome. */
  | { readonly type: 'done'; readonly plugin: string; readonly fence: number; readonly sequences: readonly number[] }
  | {
      readonly type: 'ask';
      readonly id: number;
      readonly member: string;
      readonly operation: string;
      /** JSON. */
      readonly params: string;
      readonly timeoutMs: number;
      /** The answer is wanted as a value, not as JSON that is passed on. */
      readonly parsed: boolean;
    }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'reply'; readonly id: number; readonly answer: AskAnswer }
  /** Answered with `looked`: that it is answered at all shows that the thread works. */
  | { readonly type: 'look'; readonly id: number }
  | { readonly type: 'close' };

export type AskAnswer =
  | { readonly ok: true; readonly json: string; readonly value?: unknown }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: Readonly<Record<string, unknown>>;
    };

export type PublishAnswer =
  | { readonly id: number; readonly ok: true; readonly duplicate: boolean }
  | { readonly id: number; readonly ok: false; readonly code: ErrorCode; readonly message: string };

/**
 * An event in a stream, without its payload, which stands behind it on a line of its own. A version whose events
 * earlier ones do not understand adds its `protocol`: they then leave the service to a member that does.
 */
export interface StreamedHead {
  readonly eventId: string;
  readonly correlationId: string;
  readonly ingress: string;
  readonly kind: string;
  readonly source: string;
  readonly createdAt: string;
  readonly hops?: number;
  readonly replayOf?: string;
}

/** One object for all events with the same: a message holds it once. */
export type ArrivedHead = Pick<StreamedHead, 'ingress' | 'kind' | 'source' | 'createdAt'>;

export interface ArrivedEvent extends Omit<StreamedHead, keyof ArrivedHead> {
  readonly sequence: number;
  readonly head: ArrivedHead;
  /** JSON, as a text that was looked at. */
  readonly payload: string;
}

export type FromCluster =
  | { readonly type: 'looked'; readonly id: number }
  | { readonly type: 'connection'; readonly connected: boolean; readonly fault: ClusterFault | null }
  | { readonly type: 'members'; readonly members: readonly MemberView[]; readonly holders: readonly LeaseHolder[] }
  /** Also for each renewal. */
  | {
      readonly type: 'granted';
      readonly plugin: string;
      readonly fence: number;
      readonly until: LeaseTime;
      /** With the first grant under this number. */
      readonly state?: PlacedState;
    }
  /** `refusal`: why it never will be; null: it is stored. */
  | { readonly type: 'committed'; readonly id: number; readonly refusal: string | null }
  | { readonly type: 'recorded'; readonly id: number; readonly refusal: string | null }
  | { readonly type: 'lost'; readonly plugin: string; readonly fence: number; readonly why: string }
  | { readonly type: 'released'; readonly plugin: string }
  /** A number instead of an answer: the event under it is stored, and was not before. */
  | { readonly type: 'published'; readonly answers: readonly (number | PublishAnswer)[] }
  | {
      readonly type: 'events';
      readonly plugin: string;
      readonly fence: number;
      readonly events: readonly ArrivedEvent[];
    }
  | { readonly type: 'answered'; readonly id: number; readonly answer: AskAnswer }
  | {
      readonly type: 'asked';
      readonly id: number;
      readonly member: string;
      readonly operation: string;
      readonly params: unknown;
      readonly timeoutMs: number;
    }
  | { readonly type: 'askCancelled'; readonly id: number };
