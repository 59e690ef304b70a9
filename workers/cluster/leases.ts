// The leases of services of which one instance lives: taken, renewed, given back and lost. Whoever has one acts under
// its fencing number, which grows with each acquisition.
import type { KV } from '@nats-io/kv';
import {
  type ClusterData,
  type FromCluster,
  type LeaseHolder,
  type LeaseTime,
  type LostTenure,
  type PlacedService,
  type PlacedState,
  type MemberRecord,
  clusterProtocol,
  pluginOf,
  sharedPluginOf,
  tokenOf,
} from '../../protocol/cluster/messages.ts';
import { type Board, isOutdated, leaseKey, parsed } from './board.ts';
import {
  type LeaseValue,
  type Seen,
  type Self,
  heardWithinMs,
  heldForMs,
  isFree,
  isUnderstood,
  politenessMs,
  renewAfterMs,
  staleAfterMs,
} from './lease-rules.ts';

export interface LeasesDeps {
  readonly data: ClusterData;
  readonly self: Self;
  readonly board: Board;
  nowMs(): number;
  wallMs(): number;
  /** Keeps those that had it before from acting at the server. Rejects if a later one is there already. */
  fenceOff(service: PlacedService, fence: number, lost: Pick<LostTenure, 'died'> | undefined): Promise<PlacedState>;
  /** Nothing more of it is to be sent. */
  ended(plugin: string): void;
  tell(message: FromCluster): void;
}

interface Held {
  readonly fence: number;
  revision: number;
  untilMs: number;
  untilWallMs: number;
  renewedMs: number;
  busy: boolean;
  /** The host was told: only what is fenced off is granted. */
  granted: boolean;
}

export class Leases {
  readonly #deps: LeasesDeps;
  #services = new Map<string, PlacedService>();
  readonly #held = new Map<string, Held>();
  readonly #taking = new Set<string>();
  /** Since when a lease that is free has been so. */
  readonly #freeSince = new Map<string, number>();

  constructor(deps: LeasesDeps) {
    this.#deps = deps;
  }

  place(services: readonly PlacedService[]): void {
    this.#services = new Map(services.map((service) => [service.plugin, service]));
  }

  /** It has this lease under this number, now. */
  holds(plugin: string, fence: number): boolean {
    const held = this.#held.get(plugin);
    return held?.fence === fence && this.#isInForce(held);
  }

  tick(kv: KV | undefined, taking: boolean): void {
    for (const [plugin, held] of this.#held) {
      if (!this.#isInForce(held)) this.lose(plugin, 'it could not be renewed in time');
      else if (kv !== undefined && !held.busy && this.#isDue(held)) void this.#renew(kv, plugin, held);
    }
    if (kv === undefined || !taking) return;
    for (const service of this.#services.values())
      if (
        service.wanted &&
        !this.#held.has(service.plugin) &&
        !this.#taking.has(service.plugin) &&
        this.#mayTake(service)
      )
        void this.#take(kv, service);
  }

  /** `lost`: with events that had begun. */
  async release(kv: KV | undefined, plugin: string, fence: number, lost?: LeaseValue['lost']): Promise<void> {
    const held = this.#held.get(plugin);
    if (held?.fence !== fence) return;
    this.#held.delete(plugin);
    this.#deps.ended(plugin);
    const value: LeaseValue = { ...this.#written(fence), member: null, ...(lost === undefined ? {} : { lost }) };
    await kv?.update(leaseKey(tokenOf(plugin)), JSON.stringify(value), held.revision).catch(() => undefined);
    this.#deps.tell({ type: 'released', plugin });
  }

  /** From now on only a member takes it that speaks the protocol of what waits for it. */
  async leaveToLater(
    kv: KV | undefined,
    { plugin, fence, protocol }: { readonly plugin: string; readonly fence: number; readonly protocol: number },
  ): Promise<void> {
    const held = this.#held.get(plugin);
    if (held?.fence !== fence) return;
    this.lose(plugin, 'an event waits for it that a daemon of a later version has written; upgrade this member');
    const value = { ...this.#deps.self, member: null, fence, protocol, lost: { died: false } } satisfies LeaseValue;
    // Where that fails, this member takes the lease again, and meets the same event.
    await kv?.update(leaseKey(tokenOf(plugin)), JSON.stringify(value), held.revision).catch(() => undefined);
  }

  lose(plugin: string, why: string): void {
    const held = this.#held.get(plugin);
    if (held === undefined) return;
    this.#held.delete(plugin);
    this.#deps.ended(plugin);
    this.#deps.tell({ type: 'lost', plugin, fence: held.fence, why });
  }

  holders(): LeaseHolder[] {
    const nowMs = this.#deps.nowMs();
    const { leaseMs } = this.#deps.data;
    return [...this.#deps.board.leases].map(([token, seen]) => ({
      plugin: pluginOf(token),
      member: nowMs - seen.sinceMs >= staleAfterMs(leaseMs) ? null : seen.value.member,
      fence: seen.value.fence,
      ...(isUnderstood(seen, clusterProtocol) ? {} : { later: versionText(seen.value.version) }),
    }));
  }

  #isInForce({ untilMs, untilWallMs }: Held): boolean {
    return this.#deps.nowMs() < untilMs && this.#deps.wallMs() < untilWallMs;
  }

  #isDue({ renewedMs }: Held): boolean {
    return this.#deps.nowMs() - renewedMs >= renewAfterMs(this.#deps.data.leaseMs);
  }

  #mayTake({ plugin }: PlacedService): boolean {
    const { board, self, data } = this.#deps;
    const token = tokenOf(plugin);
    const nowMs = this.#deps.nowMs();
    const seen = board.leases.get(token);
    if (!isFree(seen, self, nowMs, data.leaseMs) || !isUnderstood(seen, clusterProtocol)) {
      this.#freeSince.delete(token);
      return false;
    }
    const since = this.#freeSince.get(token) ?? nowMs;
    this.#freeSince.set(token, since);
    const shared = sharedPluginOf(plugin);
    const own = shared === undefined ? this.#held.size : this.#ownOf(shared);
    return nowMs - since >= politenessMs(own, this.#leastHeld(shared), data.leaseMs);
  }

  /** Partitions of a shared service that this member has, or is about to have. */
  #ownOf(shared: string): number {
    return [...new Set([...this.#held.keys(), ...this.#taking])].filter((unit) => sharedPluginOf(unit) === shared)
      .length;
  }

  /** By the other members that live; of a shared service, its partitions, by those that take some. */
  #leastHeld(shared: string | undefined): number {
    const { board, data } = this.#deps;
    const nowMs = this.#deps.nowMs();
    const counts = [...board.members.values()]
      .filter(
        ({ value, sinceMs }) =>
          value.member !== data.member &&
          value.state === 'active' &&
          nowMs - sinceMs < staleAfterMs(data.leaseMs) &&
          (shared === undefined || takesPartitions(value, shared)),
      )
      .map(
        ({ value: { member } }) =>
          [...board.leases].filter(
            ([token, { value }]) =>
              value.member === member && (shared === undefined || sharedPluginOf(pluginOf(token)) === shared),
          ).length,
      );
    return Math.min(Infinity, ...counts);
  }

  async #take(kv: KV, service: PlacedService): Promise<void> {
    const { plugin } = service;
    const token = tokenOf(plugin);
    this.#taking.add(plugin);
    this.#freeSince.delete(token);
    const seen = this.#deps.board.leases.get(token);
    const lost = this.#lostBefore(seen);
    try {
      const held = await this.#acquire(kv, token, seen);
      this.#held.set(plugin, held);
      const state = await this.#deps.fenceOff(service, held.fence, lost);
      if (this.#held.get(plugin) !== held) return;
      held.granted = true;
      this.#tellGranted(plugin, held, state);
    } catch {
      // Another member was faster, or the server is away: the next look decides again.
      const held = this.#held.get(plugin);
      if (held?.granted === false) await this.release(kv, plugin, held.fence, lost);
    } finally {
      this.#taking.delete(plugin);
    }
  }

  /** Undefined: whoever had it last has given it back in order. */
  #lostBefore(seen: Seen<LeaseValue> | undefined): Pick<LostTenure, 'died'> | undefined {
    if (seen === undefined) return undefined;
    // Anybody may write into the bucket.
    if (seen.value.member === null)
      return seen.value.lost === undefined ? undefined : { died: seen.value.lost.died === true };
    const { board, self, data, nowMs } = this.#deps;
    const { session } = seen.value;
    const isHeard = [...board.members.values()].some(
      ({ value, sinceMs }) => value.session === session && nowMs() - sinceMs < heardWithinMs(data.leaseMs),
    );
    return { died: session !== self.session && !isHeard };
  }

  async #acquire(kv: KV, token: string, seen: Seen<LeaseValue> | undefined): Promise<Held> {
    const { data, nowMs, wallMs } = this.#deps;
    const fence = (seen?.value.fence ?? 0) + 1;
    const text = JSON.stringify(this.#written(fence));
    const sent = { ms: nowMs(), wallMs: wallMs() };
    const revision =
      seen === undefined
        ? await kv.create(leaseKey(token), text)
        : await kv.update(leaseKey(token), text, seen.revision, data.requestMs);
    return {
      fence,
      revision,
      untilMs: sent.ms + heldForMs(data.leaseMs),
      untilWallMs: sent.wallMs + heldForMs(data.leaseMs),
      renewedMs: sent.ms,
      busy: false,
      granted: false,
    };
  }

  #written(fence: number): LeaseValue {
    const { self, data } = this.#deps;
    return { ...self, fence, protocol: clusterProtocol, version: data.version };
  }

  async #renew(kv: KV, plugin: string, held: Held): Promise<void> {
    const { data, nowMs, wallMs } = this.#deps;
    const sent = { ms: nowMs(), wallMs: wallMs() };
    const text = JSON.stringify(this.#written(held.fence));
    held.busy = true;
    held.renewedMs = sent.ms;
    try {
      held.revision = await kv.update(leaseKey(tokenOf(plugin)), text, held.revision, heldForMs(data.leaseMs));
      // One that has passed meanwhile does not come back: others may act on its being over.
      if (this.#held.get(plugin) !== held || !this.#isInForce(held)) return;
      held.untilMs = sent.ms + heldForMs(data.leaseMs);
      held.untilWallMs = sent.wallMs + heldForMs(data.leaseMs);
      if (held.granted) this.#tellGranted(plugin, held);
    } catch (thrown) {
      held.renewedMs = -Infinity;
      if (isOutdated(thrown)) await this.#lookAgain(kv, plugin, held);
    } finally {
      held.busy = false;
    }
  }

  /** The entry is not the one that was written last: another member has it, or an answer got lost. */
  async #lookAgain(kv: KV, plugin: string, held: Held): Promise<void> {
    const entry = await kv.get(leaseKey(tokenOf(plugin))).catch(() => undefined);
    if (entry === undefined) return;
    const value = entry?.operation === 'PUT' ? (parsed(entry.value) as LeaseValue | undefined) : undefined;
    if (entry !== null && value?.session === this.#deps.self.session && value.fence === held.fence)
      held.revision = entry.revision;
    else if (this.#held.get(plugin) === held) this.lose(plugin, 'another member has it');
  }

  #tellGranted(plugin: string, { fence, untilMs, untilWallMs }: Held, state?: PlacedState): void {
    const until: LeaseTime = { monotonicMs: untilMs, wallMs: untilWallMs };
    this.#deps.tell({ type: 'granted', plugin, fence, until, ...(state === undefined ? {} : { state }) });
  }
}

/** Anybody may write into the bucket. */
const versionText = (version: unknown): string =>
  typeof version === 'string' && /^[0-9A-Za-z.+-]{1,64}$/.test(version) ? `the version ${version}` : 'a later version';

/** A member of another version may not say which services it has. */
const takesPartitions = ({ services }: Partial<MemberRecord>, shared: string): boolean =>
  services?.some(({ plugin, partitions }) => plugin === shared && partitions !== undefined) ?? false;
