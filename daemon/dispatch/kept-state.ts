// What a plugin keeps in `ctx.state`, on the host: what has been committed, key by key as JSON text that nobody here
// reads. It is what the next cell starts with, and is written to the store.
import { type StateChanges, changesIn } from '../../protocol/cell/effects.ts';
import { HostError, asHostError } from '../../protocol/errors.ts';
import { type Change, keysUnder, put, remove, storeKey } from '../../protocol/store/change.ts';
import type { Store } from '../store/store.ts';
import type { Clock, Timer } from '../time/clock.ts';

/** What of the store it needs. */
export interface StateStore extends Pick<Store, 'commit' | 'onReopened'> {
  readonly kept: Pick<Store['kept'], 'pages'>;
}

export interface KeptStateOptions {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly table: string;
  /** Whose state it is: the first parts of its keys in the store. */
  readonly owner: readonly string[];
  /** Once when something goes wrong, and again only after it had worked in between. */
  onTrouble(message: string, error?: Error): void;
}

const pageEntries = 1000;
const retryMs = [500, 30_000] as const;

const bytesOf = (key: string, json: string): number => Buffer.byteLength(key) + Buffer.byteLength(json);

/** Changes that are on their way into the store in the commit of something else. */
export interface StagedState {
  readonly changes: readonly Change[];
  /** They are in the store, and take effect here. */
  commit(): void;
  /** They are not in the store. */
  drop(): void;
}

/** What a service of which nothing is stored has: there is nothing to write. */
const nothingStaged: readonly Change[] = [];

export class KeptState {
  readonly #options: KeptStateOptions | undefined;
  readonly #unsubscribe: () => void = () => {};
  readonly #values = new Map<string, string>();
  #bytes = 0;
  #isRead = false;
  /** Keys of which the store may hold another value than is here, each with when that began. */
  readonly #dirty = new Map<string, number>();
  #changes = 0;
  /** Keys of a commit of which nobody knows whether it took effect, and whose values are not here. */
  readonly #doubtful = new Set<string>();
  /** Commits on their way with changes that do not count here yet. Nothing is written beside them. */
  #staged = 0;
  #flushes = false;
  /** A commit of its own is on its way: what changes meanwhile is one commit afterwards. */
  #committing = false;
  #failures = 0;
  #retry: Timer | undefined;
  #closed = false;
  readonly #watchers = new Set<Set<string>>();

  /** In memory alone without options. */
  constructor(options?: KeptStateOptions) {
    this.#options = options;
    this.#isRead = options === undefined;
    if (options !== undefined) this.#unsubscribe = options.store.onReopened(() => void this.#reopened());
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#values.size;
  }

  /** Never rejects: what cannot be read now is read when it is needed. */
  async open(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      this.#trouble('the state (ctx.state) cannot be read now', error);
    }
  }

  /** All of it as one JSON object; undefined where it is empty. Rejects if the store cannot tell. */
  async snapshot(): Promise<string | undefined> {
    await this.requireRead();
    return this.#values.size === 0 ? undefined : this.text();
  }

  async requireRead(): Promise<void> {
    if (!this.#isRead) await this.#read();
    else if (this.#doubtful.size > 0) await this.#compare();
  }

  /** Each key with its value. */
  all(): StateChanges {
    return [...this.#values].flat();
  }

  /** In place of what was here: what is kept elsewhere is another now. */
  adopt(values: Iterable<readonly [key: string, json: string]>): void {
    this.#isRead = true;
    this.#values.clear();
    this.#bytes = 0;
    this.#dirty.clear();
    this.#doubtful.clear();
    for (const [key, json] of values) this.#apply(key, json);
  }

  text(): string {
    return `{${[...this.#values].map(([key, json]) => `${JSON.stringify(key)}:${json}`).join(',')}}`;
  }

  /** Collects the keys that are changed from now on, until `unwatch`. */
  watch(): Set<string> {
    const changed = new Set<string>();
    this.#watchers.add(changed);
    return changed;
  }

  unwatch(changed: Set<string>): void {
    this.#watchers.delete(changed);
  }

  /** Takes effect here at once, and in the store as soon as that can be: nobody waits for it. */
  write(changes: StateChanges): void {
    for (const [key, json] of changesIn(changes)) {
      this.#apply(key, json);
      this.#owe(key);
    }
    this.#flushSoon();
  }

  /** What these changes are in the store, for a commit with something else. What is owed goes with them. */
  stage(changes: StateChanges): StagedState {
    if (this.#options === undefined)
      return { changes: nothingStaged, commit: () => this.write(changes), drop: () => {} };
    const own = new Map(changesIn(changes));
    const carried = new Map([...this.#dirty].filter(([key]) => !own.has(key)));
    this.#staged += 1;
    let open = true;
    const ended = (): boolean => {
      const isFirst = open;
      open = false;
      if (isFirst) this.#staged -= 1;
      return isFirst;
    };
    return {
      changes: [
        ...[...own].map(([key, json]) => this.#change(key, json)),
        ...[...carried.keys()].map((key) => this.#present(key)),
      ],
      commit: () => {
        if (!ended()) return;
        for (const [key, json] of own) {
          this.#apply(key, json);
          this.#dirty.delete(key);
          this.#doubtful.delete(key);
        }
        this.#paid(carried);
        this.#flushSoon();
      },
      drop: () => {
        if (ended()) this.#flushSoon();
      },
    };
  }

  /** Resolves when they are in the store, and have taken effect here. */
  async commit(changes: StateChanges): Promise<void> {
    const staged = this.stage(changes);
    try {
      await this.#options?.store.commit(staged.changes);
    } catch (thrown) {
      staged.drop();
      // A store that is full has changed nothing; of any other fault it is not known what took effect.
      if (asHostError(thrown).code !== 'storage_full') for (const [key] of changesIn(changes)) this.#doubtful.add(key);
      throw thrown;
    }
    staged.commit();
  }

  /** Nothing more is written; true when nothing is left behind. */
  close(): boolean {
    this.#committing = false;
    this.#staged = 0;
    this.#flush();
    this.#closed = true;
    this.#retry?.cancel();
    this.#unsubscribe();
    return this.#failures === 0;
  }

  #apply(key: string, json: string | null): void {
    const before = this.#values.get(key);
    if (before !== undefined) this.#bytes -= bytesOf(key, before);
    if (json === null) this.#values.delete(key);
    else {
      this.#values.set(key, json);
      this.#bytes += bytesOf(key, json);
    }
    for (const watcher of this.#watchers) watcher.add(key);
  }

  /** The store is to be given what is here under this key. */
  #owe(key: string): void {
    if (this.#options === undefined) return;
    this.#changes += 1;
    this.#dirty.set(key, this.#changes);
  }

  /** The store was given these keys; what was changed since is owed still. */
  #paid(given: ReadonlyMap<string, number>): void {
    for (const [key, since] of given) if (this.#dirty.get(key) === since) this.#dirty.delete(key);
  }

  #flushSoon(): void {
    if (this.#flushes || this.#closed || this.#dirty.size === 0) return;
    this.#flushes = true;
    this.#options?.clock.soon(() => {
      this.#flushes = false;
      if (this.#retry === undefined) this.#flush();
    });
  }

  #flush(): void {
    if (this.#options === undefined || this.#dirty.size === 0 || this.#committing || this.#staged > 0 || this.#closed)
      return;
    const given = new Map(this.#dirty);
    this.#committing = true;
    this.#options.store.commit([...given.keys()].map((key) => this.#present(key))).then(
      () => {
        this.#committing = false;
        this.#failures = 0;
        this.#paid(given);
        this.#flush();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** What is here under this key. */
  #present(key: string): Change {
    return this.#change(key, this.#values.get(key) ?? null);
  }

  #change(key: string, json: string | null): Change {
    const { table = '', owner = [] } = this.#options ?? {};
    const place = storeKey(...owner, key);
    return json === null ? remove(table, place) : put(table, place, json);
  }

  /** What was given stays owed: whether it took effect makes no difference when it is given again. */
  #fail(error: unknown): void {
    this.#committing = false;
    this.#trouble('the state (ctx.state) cannot be written; it is kept in memory and tried again', error);
    if (this.#closed || this.#retry !== undefined) return;
    const [least, most] = retryMs;
    this.#retry = this.#options?.clock.after(Math.min(most, least * 2 ** Math.min(this.#failures, 10)), () => {
      this.#retry = undefined;
      this.#flush();
    });
    this.#failures += 1;
  }

  async #read(): Promise<void> {
    const found = await this.#stored();
    if (this.#isRead) return;
    this.#isRead = true;
    for (const [key, json] of found.values) this.#apply(key, json);
    if (found.damaged.size > 0)
      this.#options?.onTrouble(
        `${String(found.damaged.size)} values of the state (ctx.state) are damaged on disk and are lost; the others are kept`,
      );
  }

  async #stored(): Promise<{ readonly values: Map<string, string>; readonly damaged: ReadonlySet<string> }> {
    const values = new Map<string, string>();
    const damaged = new Set<string>();
    if (this.#options === undefined) return { values, damaged };
    const { store, table, owner } = this.#options;
    for await (const page of store.kept.pages({ table, ...keysUnder(...owner), limit: pageEntries })) {
      for (const key of page.damaged) damaged.add(stateKeyOf(key, owner.length));
      for (const { key, value } of page.entries)
        values.set(stateKeyOf(key, owner.length), Buffer.from(value).toString());
    }
    return { values, damaged };
  }

  async #reopened(): Promise<void> {
    if (this.#closed) return;
    this.#retry?.cancel();
    this.#retry = undefined;
    try {
      if (this.#isRead) await this.#compare();
      else await this.#read();
    } catch (error) {
      // It is read again when the store is opened again, or when it is needed.
      this.#trouble('the state (ctx.state) cannot be read now', error);
    }
  }

  /**
   * The store may be another one than before, or may not hold what it was given last. Of a commit of which nobody knew
   * whether it took effect, what the store holds counts; of all others, what is here.
   */
  async #compare(): Promise<void> {
    const changed = this.watch();
    const doubtful = new Set(this.#doubtful);
    try {
      const { values } = await this.#stored();
      for (const key of new Set([...values.keys(), ...this.#values.keys(), ...doubtful])) {
        const stored = values.get(key);
        if (changed.has(key) || stored === this.#values.get(key)) continue;
        if (doubtful.has(key)) this.#apply(key, stored ?? null);
        else this.#owe(key);
      }
      for (const key of doubtful) this.#doubtful.delete(key);
    } finally {
      this.unwatch(changed);
    }
    this.#flush();
  }

  #trouble(message: string, error: unknown): void {
    if (this.#failures > 0) return;
    this.#options?.onTrouble(message, error instanceof Error ? error : undefined);
  }
}

/** What `storeKey` made of the last part. */
export const stateKeyOf = (key: string, place: number): string =>
  decodeURIComponent(key.split('/').slice(place).join('/'));

/** Of a service that cannot be started because its state cannot be read. */
export const unreadState = (thrown: unknown): HostError =>
  thrown instanceof HostError
    ? new HostError(
        thrown.code,
        `What the service keeps in ctx.state cannot be read now: ${thrown.message}`,
        thrown.details,
      )
    : new HostError('storage_failed', 'What the service keeps in ctx.state cannot be read now.');
