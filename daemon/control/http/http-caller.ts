// The other end of one HTTP request as an operation sees it: it can be pushed to only where the answer is a stream.
import type { ServerResponse } from 'node:http';
import { HostError } from '../../../protocol/errors.ts';
import type { Audience } from '../../../protocol/operation.ts';
import type { Caller, WorkerSource } from '../../operations/caller.ts';
import type { FeedFilter } from '../../telemetry/feed.ts';
import type { EventStream } from './event-stream.ts';
import { LazySignal } from '../lazy-signal.ts';
import type { Projection } from '../projection.ts';
import type { Subscriptions } from '../subscriptions.ts';

/** What a request's connection brings along. */
export interface HttpPeer {
  readonly id: string;
  readonly audience: Audience;
  readonly subscriptions: Subscriptions;
  /** When the present request's head was read, on the daemon's clock. */
  readonly arrivedMs: number;
  /** The answer to the present request is a stream; throws where there may be no more of them. */
  beginStream(stream: { end(): void }): void;
}

export interface CallerStream {
  readonly stream: EventStream;
  readonly projection: Projection;
}

export class HttpCaller implements Caller {
  readonly id: string;
  readonly audience: Audience;
  readonly arrivedMs: number;
  readonly follow: ((source: WorkerSource) => Promise<void>) | undefined;
  readonly #signal = new LazySignal();
  readonly #subscriptions: Subscriptions;
  readonly #stream: EventStream | undefined;

  constructor(peer: HttpPeer, response: ServerResponse, streaming?: CallerStream) {
    this.id = peer.id;
    this.audience = peer.audience;
    this.arrivedMs = peer.arrivedMs;
    this.#subscriptions = peer.subscriptions;
    this.#stream = streaming?.stream;
    this.follow = streaming === undefined ? undefined : (source) => followWorker(streaming, source);
    response.once('close', () => {
      if (!response.writableFinished) this.#signal.abort();
    });
  }

  get signal(): AbortSignal {
    return this.#signal.signal;
  }

  subscribe(filter: FeedFilter): { readonly subscriptionId: string; readonly buffer: number } {
    const stream = this.#stream;
    if (stream === undefined) {
      throw new HostError(
        'unsupported_operation',
        'This answer is no stream; subscribe with GET /api/events or over JSON-RPC.',
        { instead: 'GET /api/events' },
      );
    }
    stream.onRoom(() => this.#subscriptions.resume());
    return this.#subscriptions.open(filter, (notification) =>
      stream.send({ id: String(notification.sequence), event: notification.event.topic, data: notification }),
    );
  }

  unsubscribe(subscriptionId: string): { readonly unsubscribed: boolean; readonly dropped: number } {
    return this.#subscriptions.close(subscriptionId);
  }
}

async function followWorker({ stream, projection }: CallerStream, source: WorkerSource): Promise<void> {
  const subscription = await source({
    push: (event) => stream.send({ id: event.cursor ?? undefined, event: event.type, data: projection.event(event) }),
    ended: () => stream.end(),
  });
  stream.onRoom(() => subscription.resume());
  stream.onOver(() => subscription.close());
}
