// Delivers events to the member that has their partition, wherever that is. While partitions of a shared service move,
// nobody handles their events for a moment: a call waits for the new holder, within its caller's time.
import { HostError, asHostError } from '../../protocol/errors.ts';
import type { Clock } from '../time/clock.ts';
import { Deferred } from './deferred.ts';

export interface MovingDelivery<Result> {
  readonly plugin: string;
  readonly timeoutMs: number;
  /** The caller is gone. */
  readonly signal: AbortSignal;
  /** Some member takes partitions of the service: what has no holder now gets one. */
  isShared(): boolean;
  /** To where the event belongs now. */
  deliver(timeoutMs: number): Result | Promise<Result> | Deferred<Result>;
}

export interface MovingDeliveriesOptions {
  readonly clock: Clock;
  /** Calls that may wait for a new holder. */
  readonly most: number;
}

const firstPauseMs = 20;
const longestPauseMs = 250;

export class MovingDeliveries {
  readonly #clock: Clock;
  readonly #most: number;
  #waiting = 0;

  constructor({ clock, most }: MovingDeliveriesOptions) {
    this.#clock = clock;
    this.#most = most;
  }

  async deliver<Result>(delivery: MovingDelivery<Result>): Promise<Result> {
    const { plugin, timeoutMs, signal } = delivery;
    const endMs = this.#clock.monotonicMs() + timeoutMs;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      const leftMs = Math.ceil(endMs - this.#clock.monotonicMs());
      try {
        const answer = delivery.deliver(Math.max(1, Math.min(timeoutMs, leftMs)));
        return await (answer instanceof Deferred ? answer.promise : answer);
      } catch (thrown) {
        const refusal = asHostError(thrown);
        if (!hasNotBegun(refusal) || signal.aborted || !delivery.isShared()) throw thrown;
        if (this.#clock.monotonicMs() + pauseMs >= endMs) throw notTaken(plugin, timeoutMs, refusal);
        await this.#pause(pauseMs, signal);
        // For nobody, it is not handled.
        if (signal.aborted) throw thrown;
      }
    }
  }

  /** Ends with the caller, too. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#waiting >= this.#most)
      throw new HostError(
        'too_many_requests',
        `Already ${String(this.#most)} deliveries wait for partitions to move.`,
        { limit: 'limits.clusterPending', maximum: this.#most },
      );
    this.#waiting += 1;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.#clock.after(ms, end);
      signal.addEventListener('abort', end, { once: true });
    });
    this.#waiting -= 1;
  }
}

/** The member that was asked does not have the partition, or its instance stopped before the event's turn. */
const hasNotBegun = ({ code, details }: HostError): boolean =>
  (code === 'service_unavailable' || code === 'service_stopped') && details['began'] !== true;

const notTaken = (plugin: string, timeoutMs: number, last: HostError): HostError =>
  new HostError(
    'dispatch_timeout',
    `No member took the event within the ${String(timeoutMs)} ms its caller allowed, while partitions of ${plugin} moved; it has been withdrawn. The last refusal: ${last.message}`,
    { phase: 'queued', timeoutMs, withdrawn: true },
  );
