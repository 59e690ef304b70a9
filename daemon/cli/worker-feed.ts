// The events of one worker, page by page, from where the last page ended: a new connection goes on where the old one
// was.
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '../../protocol/client/client.ts';
import type { WorkerEvent } from '../../protocol/runtime.ts';
import type { WorkerAddress } from './worker-address.ts';

const pageLimit = 200;
/** How long the daemon waits for something to happen before it answers with nothing. */
export const longWaitMs = 25_000;
/** A daemon that does not wait must not be asked without end. */
const leastEmptyMs = 100;

export class WorkerFeed {
  readonly #address: WorkerAddress;
  #after: string | undefined;

  constructor(address: WorkerAddress, after?: string) {
    this.#address = address;
    this.#after = after;
  }

  /** At least once each, in order; none where nothing happened. */
  async read(client: Client, waitMs = longWaitMs): Promise<readonly WorkerEvent[]> {
    const beganMs = performance.now();
    const { events, next } = await client.call('worker.events', {
      ...this.#address,
      limit: pageLimit,
      waitMs,
      ...(this.#after === undefined ? {} : { after: this.#after }),
    });
    this.#after = next;
    if (events.length === 0) await pause(Math.max(0, leastEmptyMs - (performance.now() - beganMs)));
    return events;
  }
}
