// One order to bring a service down. It says what happens to the service's events, and it can change while it is
// carried out: somebody may want the stop to be quicker, or want a restart to become a stop.
import type { HostError } from '../../protocol/errors.ts';

export interface StopOptions {
  /** Does not wait for the event that is executing beyond the grace of its abort signal. */
  readonly now: boolean;
  /** Drops the queue instead of keeping it for the next start. */
  readonly discard: boolean;
  /** Bounds the whole stop where the daemon has less time than the service. */
  readonly withinMs?: number;
}

/** What became of the events of a service that was stopped, restarted or reloaded. */
export interface KeptEvents {
  /** Events that stay queued. */
  readonly kept: number;
  readonly discarded: number;
}

export const noEvents: KeptEvents = { kept: 0, discarded: 0 };

export interface Stopped extends KeptEvents {
  /** What went wrong while the service stopped; it is stopped all the same. */
  readonly error: HostError | undefined;
}

/** An order that was carried out. */
export interface BroughtDown extends Stopped {
  /** The start that follows a restart's stop. */
  readonly start?: Promise<void>;
}

export class StopOrder {
  /** Replaced as soon as the order is being carried out. */
  done: Promise<BroughtDown> = new Promise(() => {});
  /** The restart that the next start belongs to: this order's own, or one that was asked for behind a stop. */
  restart: Promise<KeptEvents> | undefined;
  readonly hastened: Promise<'hastened'>;
  readonly withinMs: number;
  #now: boolean;
  #discard: boolean;
  #comesBack: boolean;
  #error: HostError | undefined;
  #tellHastened: (how: 'hastened') => void = () => {};

  constructor({ now, discard, withinMs = Infinity }: StopOptions, comesBack: boolean) {
    this.withinMs = withinMs;
    this.#now = now;
    this.#discard = discard;
    this.#comesBack = comesBack;
    this.hastened = new Promise((resolve) => {
      this.#tellHastened = resolve;
    });
  }

  get now(): boolean {
    return this.#now;
  }

  get discard(): boolean {
    return this.#discard;
  }

  /** The service starts again at once, so that its queue and the callers that wait go on. */
  get comesBack(): boolean {
    return this.#comesBack;
  }

  /** The first failure while the order was carried out. */
  get error(): HostError | undefined {
    return this.#error;
  }

  failed(error: HostError): void {
    this.#error ??= error;
  }

  /** Another stop was asked for meanwhile: the stricter of both counts. */
  join({ now, discard }: StopOptions): void {
    this.#comesBack = false;
    this.restart = undefined;
    this.#discard ||= discard;
    if (!now || this.#now) return;
    this.#now = true;
    this.#tellHastened('hastened');
  }
}
