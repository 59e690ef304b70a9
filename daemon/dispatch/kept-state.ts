// What a plugin keeps in `ctx.state`, on the host: what has been committed, key by key as JSON text that nobody here
// reads. It is what the next cell starts with, and is written to the store.
import { type StateChanges, changesIn } from '../../protocol/cell/effects.ts';
import { HostError } from '../../protocol/errors.ts';
import { type Change, keysUnder, put, remove, removeRange, storeKey } from '../../protocol/store/change.ts';
import type { Store } from '../store/store.ts';
import type { Clock, Timer } from '../time/clock.ts';

export interface KeptStateOptions {
  readonly store: Store;
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

export class KeptState {
  readonly #options: KeptStateOptions | undefined;
  readonly #unsubscribe: () => void = () => {};
  readonly #values = new Map<string, string>();
  #bytes = 0;
  #isRead = false;
  /** Changed, and not handed over to the store yet. */
  #changed = new Map<string, string | null>();
  #flushes = false;
  /** A commit is on its way: what changes meanwhile is one commit afterwards. */
  #committing = false;
  /** The store may hold something else than what is here. */
  #unwritten = false;
  /** It was written whole at some time, after a fault. */
  #wasRewritten = false;
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
      if (this.#options !== undefined) this.#changed.set(key, json);
    }
    this.#flushSoon();
  }

  /**
   * What these changes are in the store, for a commit with something else; `committed` afterwards. What is changed and
   * not handed over yet goes with them.
   */
  changesOf(changes: StateChanges): Change[] {
    const { table } = this.#options ?? {};
    if (table === undefined) return [];
    const all = new Map([...this.#changed, ...changesIn(changes)]);
    this.#changed = new Map();
    return [...all].map(([key, json]) => this.#change(table, key, json));
  }

  /** They are in the store, and take effect here. */
  committed(changes: StateChanges): void {
    for (const [key, json] of changesIn(changes)) {
      this.#apply(key, json);
      // The whole that was written after a fault of the store may have lacked them.
      if (this.#wasRewritten) this.#changed.set(key, json);
    }
    this.#flushSoon();
  }

  /** Resolves when they are in the store, and have taken effect here. */
  async commit(changes: StateChanges): Promise<void> {
    await this.#options?.store.commit(this.changesOf(changes));
    this.committed(changes);
  }

  /** Nothing more is written; true when nothing is left behind. */
  close(): boolean {
    this.#committing = false;
    this.#flush();
    this.#closed = true;
    this.#retry?.cancel();
    this.#unsubscribe();
    return !this.#unwritten;
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

  #flushSoon(): void {
    if (this.#flushes || this.#closed || this.#changed.size === 0) return;
    this.#flushes = true;
    this.#options?.clock.soon(() => {
      this.#flushes = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { store, table } = this.#options ?? {};
    if (store === undefined || table === undefined || this.#changed.size === 0 || this.#committing || this.#closed)
      return;
    if (this.#unwritten) return;
    const changes = [...this.#changed].map(([key, json]) => this.#change(table, key, json));
    this.#changed = new Map();
    this.#committing = true;
    store.commit(changes).then(
      () => this.#committed(),
      (error: unknown) => this.#fail(error),
    );
  }

  #committed(): void {
    this.#committing = false;
    this.#failures = 0;
    this.#flush();
  }

  #change(table: string, key: string, json: string | null): Change {
    const place = storeKey(...(this.#options?.owner ?? []), key);
    return json === null ? remove(table, place) : put(table, place, json);
  }

  #fail(error: unknown): void {
    this.#committing = false;
    this.#unwritten = true;
    this.#trouble('the state (ctx.state) cannot be written; it is kept in memory and tried again', error);
    if (this.#closed || this.#retry !== undefined) return;
    const [least, most] = retryMs;
    this.#retry = this.#options?.clock.after(Math.min(most, least * 2 ** Math.min(this.#failures, 10)), () => {
      this.#retry = undefined;
      this.#writeWhole();
    });
    this.#failures += 1;
  }

  #writeWhole(): void {
    const { store, table, owner } = this.#options ?? {};
    if (store === undefined || table === undefined || owner === undefined || this.#closed) return;
    this.#changed = new Map();
    this.#unwritten = false;
    this.#wasRewritten = true;
    this.#committing = true;
    const all = [...this.#values].map(([key, json]) => this.#change(table, key, json));
    store.commit([removeRange(table, keysUnder(...owner)), ...all]).then(
      () => this.#committed(),
      (error: unknown) => this.#fail(error),
    );
  }

  async #read(): Promise<void> {
    const { store, table, owner, onTrouble } = this.#options ?? {};
    if (store === undefined || table === undefined || owner === undefined) return;
    const values = new Map<string, string>();
    let damaged = 0;
    for await (const page of store.kept.pages({ table, ...keysUnder(...owner), limit: pageEntries })) {
      damaged += page.damaged.length;
      for (const { key, value } of page.entries) values.set(keyOf(key, owner.length), Buffer.from(value).toString());
    }
    if (this.#isRead) return;
    this.#isRead = true;
    for (const [key, json] of values) this.#apply(key, json);
    if (damaged > 0)
      onTrouble?.(
        `${String(damaged)} values of the state (ctx.state) are damaged on disk and are lost; the others are kept`,
      );
  }

  async #reopened(): Promise<void> {
    if (this.#closed) return;
    if (!this.#isRead) await this.open();
    // The store may be another one than before, or may not hold what it was given last.
    if (this.#isRead && (this.#unwritten || this.#values.size > 0)) this.#writeWhole();
  }

  #trouble(message: string, error: unknown): void {
    if (this.#failures > 0) return;
    this.#options?.onTrouble(message, error instanceof Error ? error : undefined);
  }
}

/** What `storeKey` made of the last part. */
const keyOf = (key: string, place: number): string => decodeURIComponent(key.split('/').slice(place).join('/'));

/** Of a service that cannot be started because its state cannot be read. */
export const unreadState = (thrown: unknown): HostError =>
  thrown instanceof HostError
    ? new HostError(
        thrown.code,
        `What the service keeps in ctx.state cannot be read now: ${thrown.message}`,
        thrown.details,
      )
    : new HostError('storage_failed', 'What the service keeps in ctx.state cannot be read now.');
