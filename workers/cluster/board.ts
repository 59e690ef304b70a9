// What all members see: one bucket of JetStream's KV with a key for each member and each lease, followed by one watch.
import type { KV } from '@nats-io/kv';
import type { MemberRecord } from '../../protocol/cluster/messages.ts';
import type { LeaseValue, Seen } from './lease-rules.ts';

export const memberKey = (member: string): string => `member.${member}`;
export const leaseKey = (token: string): string => `lease.${token}`;

/** The server's error where an entry is no longer the one that was read. */
const wrongLastSequence = 10071;

export const isOutdated = (thrown: unknown): boolean =>
  typeof thrown === 'object' && thrown !== null && 'code' in thrown && thrown.code === wrongLastSequence;

export class Board {
  readonly members = new Map<string, Seen<MemberRecord>>();
  /** By the token of the plugin. */
  readonly leases = new Map<string, Seen<LeaseValue>>();
  readonly #nowMs: () => number;
  readonly #changed: () => void;
  #watch: { stop(): void } | undefined;
  /** All that was there when it was followed last has been seen. */
  complete = false;

  constructor(nowMs: () => number, changed: () => void) {
    this.#nowMs = nowMs;
    this.#changed = changed;
  }

  /** From now on, in place of an earlier watch. */
  async follow(kv: KV): Promise<void> {
    this.leave();
    const watch = await kv.watch();
    this.#watch = watch;
    // Nobody was watched for a while: only what stays the same from now on is old.
    this.begin();
    for await (const { key, value, revision, operation, isUpdate, delta } of watch) {
      if (this.#watch !== watch) return;
      this.#take(key, operation === 'PUT' ? parsed(value) : undefined, revision);
      if (isUpdate || delta === 0) this.complete = true;
    }
  }

  leave(): void {
    this.complete = false;
    this.#watch?.stop();
    this.#watch = undefined;
  }

  /** Everything counts as seen just now: this thread stood still, or was cut off. */
  begin(): void {
    const sinceMs = this.#nowMs();
    for (const [name, seen] of this.members) this.members.set(name, { ...seen, sinceMs });
    for (const [token, seen] of this.leases) this.leases.set(token, { ...seen, sinceMs });
  }

  #take(key: string, value: unknown, revision: number): void {
    const at = key.indexOf('.');
    const [kind, name] = [key.slice(0, at), key.slice(at + 1)];
    const sinceMs = this.#nowMs();
    if (kind === 'member') {
      if (value === undefined) this.members.delete(name);
      else this.members.set(name, { value: value as MemberRecord, revision, sinceMs });
    } else if (kind === 'lease') {
      if (value === undefined) this.leases.delete(name);
      else this.leases.set(name, { value: value as LeaseValue, revision, sinceMs });
    }
    this.#changed();
  }
}

const decoder = new TextDecoder();

export function parsed(bytes: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    // Somebody else writes into the bucket: an entry that is none of ours is no entry.
    return undefined;
  }
}
