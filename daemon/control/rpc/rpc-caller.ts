// The other end of a JSON-RPC connection as an operation sees it.
import type { Audience } from '../../../protocol/operation.ts';
import { encodeNotification, feedMethod, progressMethod } from '../../../protocol/json-rpc.ts';
import type { ProgressNotification } from '../../../protocol/operations/tool.ts';
import type { Caller } from '../../operations/caller.ts';
import type { FeedFilter } from '../../telemetry/feed.ts';
import { LazySignal } from '../lazy-signal.ts';
import type { Outbox } from './outbox.ts';
import type { Subscriptions } from '../subscriptions.ts';

export class RpcCaller implements Caller {
  readonly id: string;
  readonly audience: Audience = 'control';
  /** Of the newest bytes that were read from the connection. */
  arrivedMs = 0;
  readonly #signal = new LazySignal();
  readonly #outbox: Outbox;
  readonly #subscriptions: Subscriptions;

  constructor(id: string, outbox: Outbox, subscriptions: Subscriptions) {
    this.id = id;
    this.#outbox = outbox;
    this.#subscriptions = subscriptions;
  }

  get signal(): AbortSignal {
    return this.#signal.signal;
  }

  subscribe(filter: FeedFilter): { readonly subscriptionId: string; readonly buffer: number } {
    return this.#subscriptions.open(filter, (notification) => {
      if (this.#outbox.full) return false;
      this.#outbox.add(encodeNotification(feedMethod, notification));
      return true;
    });
  }

  /** One that the peer has no room for is left out: the next one tells more. */
  tellProgress(progress: ProgressNotification): void {
    if (!this.#outbox.full) this.#outbox.add(encodeNotification(progressMethod, progress));
  }

  unsubscribe(subscriptionId: string): { readonly unsubscribed: boolean; readonly dropped: number } {
    return this.#subscriptions.close(subscriptionId);
  }

  gone(): void {
    this.#signal.abort();
    this.#subscriptions.closeAll();
  }
}
