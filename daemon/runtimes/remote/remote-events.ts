// The events of a worker of another member, for one listener: page after page from behind the last one that it took. A
// connection that is lost in between costs it nothing but time, because the cursors are the worker's own.
import { asHostError } from '../../../protocol/errors.ts';
import type { WorkerEvent, WorkerEventPage } from '../../../protocol/runtime.ts';
import type { Clock, Timer } from '../../time/clock.ts';
import type { EventsRequest, WorkerListener, WorkerSubscription } from '../runtime.ts';

export interface RemoteEventsOptions {
  readonly clock: Pick<Clock, 'after'>;
  readonly listener: WorkerListener;
  page(request: EventsRequest): Promise<WorkerEventPage>;
  /** No event comes any more. */
  over(): void;
}

const pageEvents = 100;
const waitMs = 10_000;
const againMs = [250, 5000] as const;
/** The worker is gone for good. */
const final: ReadonlySet<string> = new Set(['worker_not_found', 'runtime_not_found', 'unsupported_operation']);

export class RemoteEvents implements WorkerSubscription {
  readonly #options: RemoteEventsOptions;
  readonly #ending = new AbortController();
  #after: string | undefined;
  #next: WorkerEvent[] = [];
  #asking = false;
  #failures = 0;
  #timer: Timer | undefined;

  constructor(options: RemoteEventsOptions) {
    this.#options = options;
    this.#after = options.listener.after;
  }

  follow(): void {
    if (this.#asking || this.#ending.signal.aborted || !this.#give()) return;
    this.#asking = true;
    const { signal } = this.#ending;
    const after = this.#after === undefined ? {} : { after: this.#after };
    this.#options.page({ ...after, limit: pageEvents, waitMs, signal }).then(
      ({ events, next }) => {
        this.#asking = false;
        this.#failures = 0;
        this.#next = [...events];
        if (events.length === 0) this.#after = next;
        this.follow();
      },
      (thrown: unknown) => this.#failed(asHostError(thrown).code),
    );
  }

  resume(): void {
    this.follow();
  }

  close(): void {
    this.#ending.abort();
    this.#timer?.cancel();
    this.#options.over();
  }

  /** The listener is told that no more comes. */
  end(): void {
    if (this.#ending.signal.aborted) return;
    this.close();
    this.#options.listener.ended?.();
  }

  /** False: the listener takes no more now. */
  #give(): boolean {
    for (let event = this.#next[0]; event !== undefined; event = this.#next[0]) {
      try {
        if (!this.#options.listener.push(event)) return false;
      } catch {
        // As with every listener: one that throws hears no more.
        this.end();
        return false;
      }
      this.#next.shift();
      if (event.cursor !== null) this.#after = event.cursor;
    }
    return !this.#ending.signal.aborted;
  }

  #failed(code: string): void {
    this.#asking = false;
    if (this.#ending.signal.aborted) return;
    if (final.has(code)) return this.end();
    const [least, most] = againMs;
    this.#timer = this.#options.clock.after(Math.min(most, least * 2 ** Math.min(this.#failures, 10)), () =>
      this.follow(),
    );
    this.#failures += 1;
  }
}
