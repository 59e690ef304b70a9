// What happened to a plugin and became of its newest events, kept beyond the daemon: its timeline and the trail of its
// service are written to the store every now and then, without a sync and without anybody waiting. Memory holds what
// this daemon saw; what is older is read when somebody asks for it. A store that does not work costs only these.
import { type Change, keysUnder, numberInKey, put, removeRange, storeKey } from '../../protocol/store/change.ts';
import type { EventRecord, TimelineEntry } from '../../protocol/operations/telemetry.ts';
import type { Limits } from '../config/schema.ts';
import type { Service } from '../services/service.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../time/clock.ts';
import { Timeline, type TimelinePage, isAbout } from '../telemetry/timeline.ts';

export interface HistoryOptions {
  readonly pluginId: string;
  readonly store: Pick<Store, 'note' | 'notes' | 'exists'>;
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'timeline' | 'eventTrail'>;
}

export interface HistorySource {
  readonly service: Service | undefined;
  /** Takes the plugin's secrets out of JSON. */
  redact(json: string): string;
}

const tables = { timeline: 'timelines', trail: 'trails' } as const;
/** In a key, behind the plugin's id. */
const numberPlace = 1;
const pageEntries = 500;
/** The start of a plugin does not wait longer for a disk. */
const openMs = 1000;
/** Attempts at events are many: they are written in larger pieces. */
const trailEvery = 5;
/** After a refusal nothing is tried for so many times. */
const restAfterRefusal = 30;

export class PluginHistory {
  readonly timeline: Timeline;
  readonly #options: HistoryOptions;
  /** Where this daemon began: what has a lower number is only in the store. */
  readonly #first: { readonly entry: number; readonly attempt: number };
  /** It is not known what the store holds, and nothing in it must be overwritten. */
  readonly #isReadOnly: boolean;
  #writtenEntry: number;
  #writtenAttempt: number;
  /** Of this service the attempts are counted from `#attemptsBefore` on. */
  #service: Service | undefined;
  #attemptsBefore: number;
  #turns = 0;
  #rest = 0;
  #writing: Promise<void> | undefined;

  /** Never rejects. */
  static async open(options: HistoryOptions): Promise<PluginHistory> {
    const { clock } = options;
    // What earlier daemons noted is an extra: a plugin starts without it where the store cannot be read.
    const found: Promise<Marks | undefined> = readMarks(options).catch(() => undefined);
    const late = new Promise<undefined>((resolve) => {
      const timer = clock.after(openMs, () => resolve(undefined));
      void found.then(() => timer.cancel());
    });
    return new PluginHistory(options, await Promise.race([found, late]));
  }

  private constructor(options: HistoryOptions, marks: Marks | undefined) {
    this.#options = options;
    this.#isReadOnly = marks === undefined;
    const { entry, attempt } = marks ?? { entry: 0, attempt: 0 };
    this.timeline = new Timeline({ capacity: options.limits.timeline, clock: options.clock, begunAt: entry + 1 });
    this.#first = { entry: entry + 1, attempt };
    this.#writtenEntry = entry;
    this.#writtenAttempt = attempt;
    this.#attemptsBefore = attempt;
  }

  /** One turn of writing; only where the store is in use anyhow, so that a daemon that stores nothing pays nothing. */
  keep(source: HistorySource): void {
    this.#turns += 1;
    if (this.#rest > 0) this.#rest -= 1;
    else if (this.#writing === undefined && this.#options.store.exists)
      this.#write(source, this.#turns % trailEvery === 0);
  }

  /** The daemon ends: what is worth a look is written, also as the first thing in the store. Never rejects. */
  async close(source: HistorySource, withinMs: number): Promise<void> {
    const { store, clock } = this.#options;
    const isNotable = this.timeline.newest(this.#options.limits.timeline).some(({ level }) => level !== 'info');
    if (!store.exists && !isNotable && (source.service?.attemptsSince(0).made ?? 0) === 0) return;
    const written = (async () => {
      await this.#writing;
      this.#write(source, true);
      await this.#writing;
    })();
    await new Promise<void>((resolve) => {
      const timer = clock.after(withinMs, resolve);
      void written.finally(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** The plugin is unloaded. */
  forget(): void {
    const { store, pluginId } = this.#options;
    if (!store.exists) return;
    void store.note(Object.values(tables).map((table) => removeRange(table, keysUnder(pluginId))));
  }

  async page(after: number, limit: number): Promise<TimelinePage> {
    const own = this.timeline.read(after, limit);
    if (this.#first.entry === 1) return own;
    const oldest = await this.#stored<TimelineEntry>(tables.timeline, 0, this.#first.entry, 1);
    const firstSequence = oldest[0]?.sequence ?? own.firstSequence;
    if (after + 1 >= this.#first.entry) return { ...own, firstSequence };
    const older = await this.#stored<TimelineEntry>(tables.timeline, after + 1, this.#first.entry, limit);
    return { ...own, firstSequence, entries: [...older, ...own.entries].slice(0, limit) };
  }

  /** Entries of earlier daemons, the newest so many, oldest first; those about this event or correlation id alone. */
  async olderEntries(id: string | undefined, limit: number): Promise<TimelineEntry[]> {
    const found: TimelineEntry[] = [];
    for await (const page of this.#backwards(tables.timeline, this.#first.entry)) {
      const entry = JSON.parse(page) as TimelineEntry;
      if (id === undefined || isAbout(entry, id)) found.push(entry);
      if (found.length >= limit) break;
    }
    return found.reverse();
  }

  /** Attempts at events of earlier daemons, the same way. */
  async olderAttempts(id: string | undefined, limit: number): Promise<EventRecord[]> {
    const found: EventRecord[] = [];
    for await (const page of this.#backwards(tables.trail, this.#first.attempt)) {
      for (const record of (JSON.parse(page) as EventRecord[]).reverse())
        if (id === undefined || record.eventId === id || record.correlationId === id) found.push(record);
      if (found.length >= limit) break;
    }
    return found.slice(0, limit).reverse();
  }

  #write({ service, redact }: HistorySource, withTrail: boolean): void {
    if (this.#isReadOnly) return;
    const { pluginId, store, limits } = this.#options;
    const changes: Change[] = [];
    const { entries } = this.timeline.read(this.#writtenEntry, limits.timeline);
    const lastEntry = entries.at(-1)?.sequence ?? this.#writtenEntry;
    for (const entry of entries)
      changes.push(put(tables.timeline, storeKey(pluginId, entry.sequence), redact(JSON.stringify(entry))));
    if (entries.length > 0 && lastEntry > limits.timeline)
      changes.push(before(tables.timeline, pluginId, lastEntry - limits.timeline + 1));
    const lastAttempt = withTrail ? this.#trail(service, redact, changes) : this.#writtenAttempt;
    if (changes.length === 0) return;
    this.#writing = store.note(changes).then((isWritten) => {
      this.#writing = undefined;
      this.#rest = isWritten ? 0 : restAfterRefusal;
      if (!isWritten) return;
      this.#writtenEntry = lastEntry;
      this.#writtenAttempt = lastAttempt;
    });
  }

  /** Attempts at events since the last time, as one value. */
  #trail(service: Service | undefined, redact: (json: string) => string, changes: Change[]): number {
    if (service !== this.#service) {
      this.#service = service;
      this.#attemptsBefore = this.#writtenAttempt;
    }
    if (service === undefined) return this.#writtenAttempt;
    const { pluginId, limits } = this.#options;
    const { made, records } = service.attemptsSince(this.#writtenAttempt - this.#attemptsBefore);
    if (records.length === 0) return this.#writtenAttempt;
    const last = this.#attemptsBefore + made;
    changes.push(
      put(tables.trail, storeKey(pluginId, last - records.length), redact(JSON.stringify(records))),
      // A value holds at most as many as memory does.
      before(tables.trail, pluginId, Math.max(0, last - 2 * limits.eventTrail)),
    );
    return last;
  }

  async #stored<Value>(table: string, from: number, to: number, limit: number): Promise<Value[]> {
    const { pluginId, store } = this.#options;
    try {
      const range = { from: storeKey(pluginId, from), to: storeKey(pluginId, to) };
      const { entries } = await store.notes.range({ table, ...range, limit });
      return entries.map(({ value }) => JSON.parse(Buffer.from(value).toString()) as Value);
    } catch {
      // The store has told the operator why; what is in memory is told.
      return [];
    }
  }

  async *#backwards(table: string, to: number): AsyncGenerator<string> {
    const { pluginId, store } = this.#options;
    const range = { from: keysUnder(pluginId).from, to: storeKey(pluginId, to) };
    try {
      for await (const { entries } of store.notes.pages({ table, ...range, limit: pageEntries, reverse: true }))
        for (const { value } of entries) yield Buffer.from(value).toString();
    } catch {
      // As above.
    }
  }
}

interface Marks {
  /** The last that was written. */
  readonly entry: number;
  readonly attempt: number;
}

const before = (table: string, pluginId: string, number: number): Change =>
  removeRange(table, { from: keysUnder(pluginId).from, to: storeKey(pluginId, number) });

async function readMarks({ store, pluginId }: HistoryOptions): Promise<Marks> {
  const last = async (table: string): Promise<{ key: string; value: string } | undefined> => {
    const { entries } = await store.notes.range({ table, ...keysUnder(pluginId), limit: 1, reverse: true });
    const [entry] = entries;
    return entry === undefined ? undefined : { key: entry.key, value: Buffer.from(entry.value).toString() };
  };
  const [entry, page] = await Promise.all([last(tables.timeline), last(tables.trail)]);
  return {
    entry: entry === undefined ? 0 : numberInKey(entry.key, numberPlace),
    attempt: page === undefined ? 0 : numberInKey(page.key, numberPlace) + (JSON.parse(page.value) as unknown[]).length,
  };
}
