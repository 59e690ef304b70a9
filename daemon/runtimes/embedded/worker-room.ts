// How many workers there may be, and which of them goes when another one needs its place.
import { HostError } from '../../../protocol/errors.ts';
import { plural } from '../../../protocol/plural.ts';
import { EmbeddedWorker } from './embedded-worker.ts';
import type { StoredWorker } from './stored-workers.ts';

type Worker = EmbeddedWorker | StoredWorker;

export class WorkerRoom {
  readonly #maximum: number;
  /** Workers that are being written and are not listed yet. */
  #making = 0;
  readonly #leaving = new Set<Worker>();
  /** Since the daemon started. */
  forgotten = 0;

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** Room for one more: answers the worker that has to go for it. Throws where none may. */
  take(workers: ReadonlyMap<string, Worker>): Worker | undefined {
    const leaving =
      workers.size + this.#making - this.#leaving.size < this.#maximum ? undefined : this.#oldest(workers);
    if (leaving !== undefined) this.#leaving.add(leaving);
    this.#making += 1;
    return leaving;
  }

  /** The new worker is listed, or was refused. */
  settle(leaving: Worker | undefined): void {
    this.#making -= 1;
    if (leaving !== undefined) this.#leaving.delete(leaving);
  }

  /** Of those that are of no more use the one that was last used longest ago goes. */
  #oldest(workers: ReadonlyMap<string, Worker>): Worker {
    const maximum = this.#maximum;
    const spent = [...workers.values()].filter((worker) => isSpent(worker) && !this.#leaving.has(worker));
    const oldest = spent.sort((one, other) => (one.summary().lastActiveAt < other.summary().lastActiveAt ? -1 : 1))[0];
    if (oldest !== undefined) return oldest;
    throw new HostError(
      'runtime_full',
      `The runtime has ${plural(maximum, 'worker')}, which is the limit, and none of them has stopped or failed. Raise limits.workers to allow more.`,
      { limit: 'limits.workers', maximum },
    );
  }
}

function isSpent(worker: Worker): boolean {
  const { state } = worker;
  return (
    (state === 'stopped' || state === 'failed') &&
    (worker instanceof EmbeddedWorker ? worker.atRest : !worker.hasOpenInputs)
  );
}
