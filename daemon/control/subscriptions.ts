// The subscriptions of one connection: how many it may have, and which are its own to end.
import { HostError } from '../../protocol/errors.ts';
import type { FeedNotification } from '../../protocol/operations/telemetry.ts';
import { plural } from '../../protocol/plural.ts';
import type { Limits } from '../config/schema.ts';
import type { Feed, FeedSubscription, FeedFilter } from '../telemetry/feed.ts';

export class Subscriptions {
  readonly #feed: Feed;
  readonly #limits: Limits;
  readonly #open = new Map<string, FeedSubscription>();

  constructor(feed: Feed, limits: Limits) {
    this.#feed = feed;
    this.#limits = limits;
  }

  /** `push` answers false for "not now"; it is called again after `resume`. */
  open(
    filter: FeedFilter,
    push: (notification: FeedNotification) => boolean,
  ): { subscriptionId: string; buffer: number } {
    const maximum = this.#limits.subscriptions;
    if (this.#open.size >= maximum) {
      throw new HostError(
        'limit_too_large',
        `This connection has ${plural(maximum, 'subscription')}, which is the limit. Raise limits.subscriptions to allow more.`,
        { limit: 'limits.subscriptions', maximum },
      );
    }
    const buffer = this.#limits.subscriptionBuffer;
    const subscription = this.#feed.subscribe({ filter, buffer, push });
    this.#open.set(subscription.id, subscription);
    return { subscriptionId: subscription.id, buffer };
  }

  close(id: string): { unsubscribed: boolean; dropped: number } {
    const subscription = this.#open.get(id);
    if (subscription === undefined) return { unsubscribed: false, dropped: 0 };
    this.#open.delete(id);
    subscription.close();
    return { unsubscribed: true, dropped: subscription.dropped };
  }

  closeAll(): void {
    for (const id of [...this.#open.keys()]) this.close(id);
  }

  resume(): void {
    for (const subscription of this.#open.values()) subscription.resume();
  }
}
