// What is written of one worker, and what becomes of it when the store does not take it. A step is one commit. After a
// failure that may have left something else on disk than is in memory, the whole worker is written with the next step,
// and tried again by itself until it is taken.
import { type HostError, asHostError } from '../../../protocol/errors.ts';
import type { Change } from '../../../protocol/store/change.ts';
import type { Clock, Timer } from '../../time/clock.ts';
import type { WorkerStore } from './worker-record.ts';

export interface WorkerShelfOptions {
  readonly store: WorkerStore;
  readonly clock: Clock;
  /** The worker as it stands in memory. */
  whole(): Change[];
  /** It is time to try again. */
  again(): void;
  /** Once when something goes wrong, and again only after it had worked in between. */
  onTrouble(error: HostError): void;
}

const retryMs = [500, 30_000] as const;

export class WorkerShelf {
  readonly #options: WorkerShelfOptions;
  /** The store may hold something else than is here. */
  #unwritten = false;
  #failures = 0;
  #retry: Timer | undefined;
  #closed = false;

  constructor(options: WorkerShelfOptions) {
    this.#options = options;
  }

  /** The worker has to be written whole, and it is time to try. */
  get owes(): boolean {
    return this.#unwritten && !this.rests;
  }

  /** It was refused a moment ago: what nobody waits for is not tried now. */
  get rests(): boolean {
    return this.#retry !== undefined;
  }

  /** Answers what refused it; undefined when it is on disk. Never rejects. */
  async write(changes: readonly Change[]): Promise<HostError | undefined> {
    const { store, whole, onTrouble } = this.#options;
    try {
      await store.commit(this.#unwritten ? [...whole(), ...changes] : changes);
    } catch (thrown) {
      const error = asHostError(thrown);
      if (this.#failures === 0) onTrouble(error);
      // A store that is full has changed nothing; after any other fault it is not known what it holds.
      if (error.code !== 'storage_full') this.#unwritten = true;
      this.#failures += 1;
      this.#tryLater();
      return error;
    }
    this.#unwritten = false;
    this.#failures = 0;
    this.wake();
    return undefined;
  }

  /** What was refused took effect in memory all the same, or what stands in the store can be trusted no more. */
  spoil(): void {
    this.#unwritten = true;
  }

  /** The store works again: what is owed is tried now. */
  wake(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
  }

  /** Nothing is tried any more. */
  close(): void {
    this.#closed = true;
    this.wake();
  }

  #tryLater(): void {
    if (this.#closed || this.#retry !== undefined) return;
    const [least, most] = retryMs;
    this.#retry = this.#options.clock.after(Math.min(most, least * 2 ** Math.min(this.#failures, 10)), () => {
      this.#retry = undefined;
      this.#options.again();
    });
  }
}
