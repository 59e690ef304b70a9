// Cuts off who begins a request and does not finish it. One sweep for all connections instead of a timer for each: a
// bound of seconds needs no more, and the hot path none of it.
import { HostError } from '../../../protocol/errors.ts';
import type { Connection } from '../connection.ts';
import { awakeTime } from '../../time/awake-time.ts';

interface Begun {
  readonly request: number;
  readonly sinceMs: number;
}

const slowestSweepMs = 1000;

export class HalfRequestWatch {
  readonly #limitMs: number;
  readonly #limit: string;
  readonly #connections: () => Iterable<Connection>;
  readonly #begun = new WeakMap<Connection, Begun>();
  #timer: NodeJS.Timeout | undefined;

  /** `limit` is what the bound is called in the configuration. */
  constructor(limitMs: number, limit: string, connections: () => Iterable<Connection>) {
    this.#limitMs = limitMs;
    this.#limit = limit;
    this.#connections = connections;
  }

  start(): void {
    this.#timer = setInterval(() => this.#sweep(awakeTime.nowMs()), Math.min(slowestSweepMs, this.#limitMs / 4));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sweep(nowMs: number): void {
    for (const connection of this.#connections()) {
      const request = connection.unfinished;
      const begun = this.#begun.get(connection);
      if (request === undefined) this.#begun.delete(connection);
      else if (begun?.request !== request) this.#begun.set(connection, { request, sinceMs: nowMs });
      else if (nowMs - begun.sinceMs >= this.#limitMs) connection.cutOff(unfinished(this.#limitMs, this.#limit));
    }
  }
}

const unfinished = (limitMs: number, limit: string): HostError =>
  new HostError('invalid_request', `A request was begun and not finished within ${String(limitMs)} ms.`, {
    limit,
    maximum: limitMs,
  });
