// The commits of one durable queue: at most one is on its way, and what comes meanwhile is the next. When one fails,
// it is found out whether it took effect before anything else is stored.
import type { Change } from '../../../protocol/store/change.ts';
import { type HostError, asHostError } from '../../../protocol/errors.ts';
import type { Store } from '../../store/store.ts';
import type { Clock, Timer } from '../../time/clock.ts';
import { type QueueRecord, recordKey, recordTable } from './queue-record.ts';

/** One transaction, and what its end means. */
export interface Batch {
  readonly serial: number;
  readonly changes: readonly Change[];
  /** It holds something new. */
  readonly adds: boolean;
  /**
   * It is on disk: another batch may be taken. The rest comes with `settle`, so that the disk is at work again before
   * anybody is answered.
   */
  applied(): void;
  /** Follows `applied`, before anything else happens. */
  settle(): void;
  /** Nothing of it is on disk. */
  refused(error: HostError): void;
  /** Nobody knows: `applied` or `refused` follows. */
  doubtful(error: HostError): void;
}

export interface CommitsOptions {
  readonly pluginId: string;
  readonly store: Store;
  readonly clock: Clock;
  /** Takes what has gathered; undefined where nothing has. */
  take(): Batch | undefined;
  /** What has gathered can be taken before the batch that was applied last is settled. */
  mayFollow(): boolean;
  /** What has gathered is to be committed now; else it has time, and goes with what comes next. */
  isUrgent(): boolean;
  /** The store may hold something else than what was committed last. */
  lost(found: number): void;
}

const retryMs = [200, 10_000] as const;

export class QueueCommits {
  readonly #options: CommitsOptions;
  readonly #unsubscribe: () => void;
  #onItsWay: Batch | undefined;
  #doubt: HostError | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #asking = false;
  readonly #whenIdle: (() => void)[] = [];
  #closed = false;

  constructor(options: CommitsOptions) {
    this.#options = options;
    this.#unsubscribe = options.store.onReopened(() => void this.#ask());
  }

  get busy(): boolean {
    return this.#onItsWay !== undefined;
  }

  /** Why nothing can be stored now; undefined where it can. */
  get doubt(): HostError | undefined {
    return this.#doubt;
  }

  /** Commits what has gathered, unless a commit is on its way: then it follows that one. */
  flush(): void {
    if (this.#onItsWay !== undefined || this.#closed) return;
    const batch = this.#options.take();
    if (batch === undefined) {
      for (const idle of this.#whenIdle.splice(0)) idle();
      return;
    }
    this.#onItsWay = batch;
    this.#options.store.commit(batch.changes, batch.adds ? 'adds' : 'replaces').then(
      () => this.#applied(batch),
      (thrown: unknown) => this.#failed(batch, asHostError(thrown)),
    );
  }

  /** Resolves when everything that has gathered is stored; false where that took too long. */
  async idle(withinMs: number): Promise<boolean> {
    const stored = new Promise<true>((resolve) => this.#whenIdle.push(() => resolve(true)));
    this.flush();
    let timer: Timer | undefined;
    const late = new Promise<false>((resolve) => {
      timer = this.#options.clock.after(withinMs, () => resolve(false));
    });
    const done = await Promise.race([stored, late]);
    timer?.cancel();
    return done;
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#unsubscribe();
  }

  #applied(batch: Batch): void {
    this.#failures = 0;
    this.#over();
    batch.applied();
    const follows = this.#options.mayFollow();
    if (follows) this.flush();
    batch.settle();
    if (!follows && (this.#whenIdle.length > 0 || this.#options.isUrgent())) this.flush();
  }

  #over(): void {
    this.#onItsWay = undefined;
    this.#doubt = undefined;
    this.#retry?.cancel();
    this.#retry = undefined;
  }

  #failed(batch: Batch, error: HostError): void {
    // For want of room, nothing was changed.
    if (error.code === 'storage_full') {
      this.#over();
      batch.refused(error);
      return;
    }
    if (this.#doubt === undefined) {
      this.#doubt = error;
      batch.doubtful(error);
    }
    void this.#ask();
  }

  /** Whether the commit of which nobody knows has taken effect; else whether what was committed is still there. */
  async #ask(): Promise<void> {
    if (this.#asking || this.#closed) return;
    const { pluginId, store } = this.#options;
    this.#asking = true;
    try {
      const text = await store.kept.get(recordTable, recordKey(pluginId));
      const serial = text === undefined ? 0 : (JSON.parse(text.toString()) as QueueRecord).serial;
      this.#asking = false;
      this.#answered(serial);
    } catch {
      // It does not work yet: it is asked again.
      this.#asking = false;
      if (this.#doubt !== undefined) this.#askLater();
    }
  }

  #answered(serial: number): void {
    const batch = this.#onItsWay;
    if (this.#doubt === undefined || batch === undefined) {
      if (batch === undefined) this.#options.lost(serial);
      return;
    }
    if (serial === batch.serial) {
      this.#applied(batch);
      return;
    }
    const error = this.#doubt;
    this.#over();
    batch.refused(error);
    if (serial < batch.serial - 1) this.#options.lost(serial);
    // The disk may go on failing: the rest is not tried in the same moment.
    this.#failures += 1;
  }

  #askLater(): void {
    const [least, most] = retryMs;
    this.#retry ??= this.#options.clock.after(Math.min(most, least * 2 ** Math.min(this.#failures, 10)), () => {
      this.#retry = undefined;
      this.#failures += 1;
      void this.#ask();
    });
  }
}
