// When a lease may be taken, must be renewed and is over, as numbers and pure functions. A member never compares its
// clock with another's: it looks at how long an entry has stayed the same, on a clock of its own that does not stand
// while the daemon is stopped.

export interface LeaseValue {
  /** Null: it was given back. */
  readonly member: string | null;
  /** Stays the same over restarts of a daemon. */
  readonly instance: string;
  readonly session: string;
  /** Grows with each acquisition. */
  readonly fence: number;
  /** How whoever had it last writes what the service keeps; absent: as the first version did. */
  readonly protocol?: number;
  /** Of that daemon. */
  readonly version?: string;
  /** It was given back, and not in order: events had begun that are not noted as such. */
  readonly lost?: { readonly died: boolean };
}

export interface Seen<Value> {
  readonly value: Value;
  readonly revision: number;
  /** When this revision was seen first. */
  readonly sinceMs: number;
}

/** Shares of `leaseMs`. A holder ends by itself well before another may take over. */
const renewShare = 0.2;
const heldShare = 0.6;
const staleShare = 0.85;
const tickShare = 0.05;

export const renewAfterMs = (leaseMs: number): number => leaseMs * renewShare;
/** From the moment at which the renewal was sent. */
export const heldForMs = (leaseMs: number): number => leaseMs * heldShare;
export const staleAfterMs = (leaseMs: number): number => leaseMs * staleShare;
/** By its heartbeat, that a member lives whose lease is free: of one that died, the last one is older by then. */
export const heardWithinMs = (leaseMs: number): number => leaseMs * (staleShare - renewShare - tickShare);
export const tickMs = (leaseMs: number): number => Math.max(25, Math.min(1000, leaseMs * tickShare));

export interface Self {
  readonly member: string;
  readonly instance: string;
  readonly session: string;
}

/** Whether this member may take a lease that stands there as `seen`. */
export function isFree(seen: Seen<LeaseValue> | undefined, self: Self, nowMs: number, leaseMs: number): boolean {
  if (seen === undefined || seen.value.member === null) return true;
  // An earlier life of this daemon: its state folder is this one's, so it has ended. Or an answer that never came.
  if (seen.value.instance === self.instance && seen.value.member === self.member) return true;
  return nowMs - seen.sinceMs >= staleAfterMs(leaseMs);
}

/** Whether this member can read what whoever had the lease last has written. */
export const isUnderstood = (seen: Seen<LeaseValue> | undefined, protocol: number): boolean =>
  (seen?.value.protocol ?? 1) <= protocol;

/** A member that has more than another waits a little, so that the other takes the lease. */
export const politenessMs = (own: number, least: number, leaseMs: number): number =>
  Math.min(5, Math.max(0, own - least)) * 2 * tickMs(leaseMs);
