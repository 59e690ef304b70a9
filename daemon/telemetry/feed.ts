// The live feed: what happens goes to whoever subscribed, as it happens. A subscriber that does not keep up loses the
// oldest of what waits for it and is told how much; it never holds up the host or another subscriber.
import type { FeedEvent, FeedNotification, FeedTopic } from '../../protocol/operations/telemetry.ts';
import { uuidv7 } from '../../protocol/uuid.ts';
import type { Clock } from '../time/clock.ts';
import { realClock } from '../time/real-clock.ts';
import { Ring } from './ring.ts';

export interface FeedFilter {
  readonly topics: readonly FeedTopic[];
  readonly plugin?: string;
}

export interface FeedOptions {
  readonly filter: FeedFilter;
  /** How many events wait while the subscriber does not take them. */
  readonly buffer: number;
  /** Takes the notification, or answers false for "not now": it was not taken, and comes again after `resume`. */
  push(notification: FeedNotification): boolean;
}

export interface FeedSubscription {
  readonly id: string;
  /** Events this subscriber was too slow for; a gap in its sequences shows where. */
  readonly dropped: number;
  readonly buffered: number;
  /** There is room again: what waits is pushed, in order. */
  resume(): void;
  close(): void;
}

export class Feed {
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #byTopic = new Map<FeedTopic, Set<Subscriber>>();
  readonly #subscribers = new Set<Subscriber>();
  #dropped = 0;
  #failed = 0;

  constructor(clock: Pick<Clock, 'wallMs'> = realClock) {
    this.#clock = clock;
  }

  get subscriptions(): number {
    return this.#subscribers.size;
  }

  /** Over all subscribers there have been. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Subscriptions that were ended because their push threw. */
  get failed(): number {
    return this.#failed;
  }

  /** Asked before an event is put together: without a listener it costs nothing. */
  wants(topic: FeedTopic): boolean {
    return this.#byTopic.has(topic);
  }

  publish(event: FeedEvent): void {
    const listeners = this.#byTopic.get(event.topic);
    if (listeners === undefined) return;
    for (const subscriber of listeners) {
      if (subscriber.wants(event)) subscriber.offer(event);
    }
  }

  subscribe(options: FeedOptions): FeedSubscription {
    const subscriber = new Subscriber(uuidv7(this.#clock.wallMs()), options, {
      dropped: () => {
        this.#dropped += 1;
      },
      failed: () => {
        this.#failed += 1;
      },
      closed: () => this.#remove(subscriber),
    });
    this.#subscribers.add(subscriber);
    for (const topic of new Set(options.filter.topics)) {
      const listeners = this.#byTopic.get(topic);
      if (listeners === undefined) this.#byTopic.set(topic, new Set([subscriber]));
      else listeners.add(subscriber);
    }
    return subscriber;
  }

  #remove(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    for (const [topic, listeners] of this.#byTopic) {
      listeners.delete(subscriber);
      if (listeners.size === 0) this.#byTopic.delete(topic);
    }
  }
}

interface SubscriberListener {
  dropped(): void;
  failed(): void;
  closed(): void;
}

interface Waiting {
  readonly sequence: number;
  readonly event: FeedEvent;
}

class Subscriber implements FeedSubscription {
  readonly id: string;
  readonly #options: FeedOptions;
  readonly #listener: SubscriberListener;
  readonly #waiting: Ring<Waiting>;
  #sequence = 0;
  #dropped = 0;
  #paused = false;
  #draining = false;
  #closed = false;

  constructor(id: string, options: FeedOptions, listener: SubscriberListener) {
    this.id = id;
    this.#options = options;
    this.#listener = listener;
    this.#waiting = new Ring(options.buffer);
  }

  get dropped(): number {
    return this.#dropped;
  }

  get buffered(): number {
    return this.#waiting.size;
  }

  wants(event: FeedEvent): boolean {
    const { plugin } = this.#options.filter;
    return plugin === undefined || plugin === event.plugin;
  }

  /** Every event meant for it has a sequence, also one that is dropped: so the gaps are what was dropped. */
  offer(event: FeedEvent): void {
    if (this.#closed) return;
    this.#sequence += 1;
    if (this.#waiting.push({ sequence: this.#sequence, event }) !== undefined) this.#drop();
    this.#drain();
  }

  resume(): void {
    this.#paused = false;
    this.#drain();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.clear();
    this.#listener.closed();
  }

  /** A push may itself publish, resume or close: the loop that is already running takes care of it, in order. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    while (!this.#paused && !this.#closed) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      if (this.#push(next) || this.#closed) continue;
      this.#paused = true;
      if (!this.#waiting.unshift(next)) this.#drop();
    }
    this.#draining = false;
  }

  #push({ sequence, event }: Waiting): boolean {
    try {
      return this.#options.push({ subscriptionId: this.id, sequence, dropped: this.#dropped, event });
    } catch {
      // The fault is the subscriber's, and neither the publisher nor the others may feel it: it is closed and counted.
      this.#listener.failed();
      this.close();
      return false;
    }
  }

  #drop(): void {
    this.#dropped += 1;
    this.#listener.dropped();
  }
}
