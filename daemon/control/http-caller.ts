// The other end of one HTTP request as an operation sees it: it can be pushed to only where the answer is a stream.
import type { ServerResponse } from 'node:http';
import { HostError } from '../../protocol/errors.ts';
import type { Audience } from '../../protocol/operation.ts';
import type { Caller, FeedFilter } from './caller.ts';
import type { EventStream } from './event-stream.ts';
import { LazySignal } from './lazy-signal.ts';
import type { Subscriptions } from './subscriptions.ts';

/** What a request's connection brings along. */
export interface HttpPeer {
  readonly id: string;
  readonly audience: Audience;
  readonly subscriptions: Subscriptions;
  /** The stream that is the answer at present, where it is one. */
  stream: EventStream | undefined;
}

export class HttpCaller implements Caller {
  readonly id: string;
  readonly audience: Audience;
  readonly #signal = new LazySignal();
  readonly #peer: HttpPeer;

  constructor(peer: HttpPeer, response: ServerResponse) {
    this.id = peer.id;
    this.audience = peer.audience;
    this.#peer = peer;
    response.once('close', () => {
      if (!response.writableFinished) this.#signal.abort();
    });
  }

  get signal(): AbortSignal {
    return this.#signal.signal;
  }

  subscribe(filter: FeedFilter): { readonly subscriptionId: string; readonly buffer: number } {
    const { stream, subscriptions } = this.#peer;
    if (stream === undefined) {
      throw new HostError('unsupported_operation', 'This answer is no stream; subscribe with GET /api/events or over JSON-RPC.', { instead: 'GET /api/events' });
    }
    return subscriptions.open(filter, (notification) => stream.push(notification));
  }

  unsubscribe(subscriptionId: string): { readonly unsubscribed: boolean; readonly dropped: number } {
    return this.#peer.subscriptions.close(subscriptionId);
  }
}
