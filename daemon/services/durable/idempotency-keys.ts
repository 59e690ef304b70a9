// The idempotency keys of one service's events: an event that comes again under a key that is known is not queued a
// second time. How many are remembered, and for how long, is bounded. Those of stored events lie in the store, in one
// value for each commit, and survive a restart.
import { type Change, put, remove, storeKey } from '../../../protocol/store/change.ts';
import type { HostError } from '../../../protocol/errors.ts';
import type { Clock } from '../../time/clock.ts';

export const keysTable = 'event-keys';

export interface KnownKey {
  readonly eventId: string;
  readonly correlationId: string;
  readonly atMs: number;
  /** The same on a clock that nobody sets: its age is measured there. */
  readonly sinceMs: number;
  /** Where the event lies; undefined for an event in memory, or one that is not committed yet. */
  place: number | undefined;
  /** The first place of the commit whose value holds the key. */
  page: number | undefined;
  /** Who sent it again before it was accepted; undefined once it is. */
  waiting: ((error: HostError | undefined) => void)[] | undefined;
}

type Stored = readonly [key: string, eventId: string, correlationId: string | 0, atMs: number, place: number];

export interface KeyLimits {
  readonly dedupeMs: number;
  readonly dedupeKeys: number;
}

export class IdempotencyKeys {
  readonly #pluginId: string;
  readonly #limits: KeyLimits;
  readonly #clock: Clock;
  /** The oldest first. */
  readonly #keys = new Map<string, KnownKey>();
  /** The keys of each stored value that are still remembered. */
  readonly #pages = new Map<number, Set<string>>();
  #changed = new Set<number>();

  constructor(pluginId: string, limits: KeyLimits, clock: Clock) {
    this.#pluginId = pluginId;
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#keys.size;
  }

  find(key: string): KnownKey | undefined {
    const known = this.#keys.get(key);
    if (known === undefined || this.#clock.steadyMs() - known.sinceMs < this.#limits.dedupeMs) return known;
    this.#drop(key, known);
    return undefined;
  }

  /** `pending`: its event is still being stored. */
  remember(key: string, ids: { readonly eventId: string; readonly correlationId: string }, pending: boolean): void {
    const known: KnownKey = {
      eventId: ids.eventId,
      correlationId: ids.correlationId,
      atMs: this.#clock.wallMs(),
      sinceMs: this.#clock.steadyMs(),
      place: undefined,
      page: undefined,
      waiting: pending ? [] : undefined,
    };
    this.#keys.set(key, known);
    this.#evict();
  }

  /** Its event is on disk. */
  accepted(key: string): void {
    this.#tell(key, undefined);
  }

  /** Its event was refused after all. */
  refused(key: string, eventId: string, error: HostError): void {
    this.#tell(key, error);
    this.forget(key, eventId);
  }

  #tell(key: string, error: HostError | undefined): void {
    const known = this.#keys.get(key);
    const waiting = known?.waiting ?? [];
    if (known !== undefined) known.waiting = undefined;
    for (const told of waiting) told(error);
  }

  /** Its event was discarded. */
  forget(key: string, eventId: string): void {
    const known = this.#keys.get(key);
    if (known?.eventId === eventId) this.#drop(key, known);
  }

  discarded({
    idempotencyKey,
    eventId,
  }: {
    readonly idempotencyKey?: string | undefined;
    readonly eventId: string;
  }): void {
    if (idempotencyKey !== undefined) this.forget(idempotencyKey, eventId);
  }

  /** Of all events at these places. */
  forgetWhere(which: (place: number) => boolean): void {
    for (const [key, known] of this.#keys) if (known.place !== undefined && which(known.place)) this.#drop(key, known);
  }

  /** They go into the store with the commit whose first event has this place. */
  stored(keys: readonly { readonly key: string; readonly place: number }[], page: number): void {
    for (const { key, place } of keys) {
      const known = this.#keys.get(key);
      if (known === undefined) continue;
      known.place = place;
      known.page = page;
      this.#onPage(page, key);
      this.#changed.add(page);
    }
  }

  /** What has to be written for what has changed since it was asked last. */
  changes(): Change[] {
    if (this.#changed.size === 0) return [];
    const changed = [...this.#changed];
    this.#changed = new Set();
    return changed.map((page) => {
      const stored = [...(this.#pages.get(page) ?? [])].flatMap((key) => this.#stored(key));
      return stored.length === 0
        ? remove(keysTable, storeKey(this.#pluginId, page))
        : put(keysTable, storeKey(this.#pluginId, page), JSON.stringify(stored));
    });
  }

  /** The pages are written again: it is not known that they were. */
  again(pages: Iterable<number>): void {
    for (const page of pages) this.#changed.add(page);
  }

  get changedPages(): readonly number[] {
    return [...this.#changed];
  }

  /** What an earlier daemon had stored, in order. */
  found(page: number, text: string): void {
    const [wallMs, steadyMs] = [this.#clock.wallMs(), this.#clock.steadyMs()];
    for (const [key, eventId, correlationId, atMs, place] of JSON.parse(text) as Stored[]) {
      this.#keys.set(key, {
        eventId,
        correlationId: correlationId === 0 ? eventId : correlationId,
        atMs,
        // One of the future was remembered while the clock was ahead.
        sinceMs: steadyMs - Math.max(0, wallMs - atMs),
        place,
        page,
        waiting: undefined,
      });
      this.#onPage(page, key);
    }
    this.#evict();
  }

  #evict(): void {
    const nowMs = this.#clock.steadyMs();
    for (const [key, known] of this.#keys) {
      if (this.#keys.size <= this.#limits.dedupeKeys && nowMs - known.sinceMs < this.#limits.dedupeMs) break;
      this.#drop(key, known, true);
    }
  }

  /** A value of which only the oldest keys are gone is left as it is: they are dropped again when it is read. */
  #drop(key: string, { page }: KnownKey, byAge = false): void {
    this.#keys.delete(key);
    if (page === undefined) return;
    const keys = this.#pages.get(page);
    keys?.delete(key);
    if (keys?.size === 0) this.#pages.delete(page);
    if (keys?.size === 0 || !byAge) this.#changed.add(page);
  }

  #onPage(page: number, key: string): void {
    const keys = this.#pages.get(page) ?? new Set<string>();
    this.#pages.set(page, keys.add(key));
  }

  #stored(key: string): Stored[] {
    const known = this.#keys.get(key);
    if (known?.place === undefined) return [];
    const { eventId, correlationId, atMs, place } = known;
    return [[key, eventId, correlationId === eventId ? 0 : correlationId, atMs, place]];
  }
}
