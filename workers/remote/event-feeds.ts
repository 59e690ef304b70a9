// The streams of events of one remote daemon. One whose page was given out is kept for a while for whoever asks for the
// next page, so that following a worker is one stream and not one for each page.
import { setTimeout as pause } from 'node:timers/promises';
import type { WorkerEventPage } from '../../protocol/runtime.ts';
import { EventFeed, type FeedOptions } from './event-feed.ts';
import { requestOf } from './requests.ts';

interface Parked {
  readonly key: string;
  readonly feed: EventFeed;
  readonly timer: NodeJS.Timeout;
}

/** Beyond it the one that has waited longest is closed; a cursor begins another. */
const mostParked = 64;
const parkedMs = 30_000;
const againMs = 250;

export class EventFeeds {
  readonly #options: Omit<FeedOptions, 'path' | 'workerId' | 'after'>;
  readonly #parked = new Set<Parked>();
  readonly #asked = new Set<EventFeed>();

  constructor(options: Omit<FeedOptions, 'path' | 'workerId' | 'after'>) {
    this.#options = options;
  }

  async page(params: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<WorkerEventPage> {
    const { workerId, after, limit, waitMs, runtimeId } = params as {
      runtimeId: string;
      workerId: string;
      after?: string;
      limit: number;
      waitMs: number;
    };
    const key = keyOf(workerId, after);
    if (this.#endedAt(key)) await pause(againMs);
    const feed =
      this.#taken(key) ??
      new EventFeed({
        ...this.#options,
        path: requestOf(this.#options.row, { runtimeId, workerId, after }).path,
        workerId,
        after,
      });
    this.#asked.add(feed);
    const close = (): void => feed.close();
    signal.addEventListener('abort', close, { once: true });
    if (signal.aborted) close();
    try {
      const page = await feed.page(limit, waitMs, signal);
      this.#park(keyOf(workerId, feed.position), feed);
      return page;
    } catch (thrown) {
      feed.close();
      throw thrown;
    } finally {
      signal.removeEventListener('abort', close);
      this.#asked.delete(feed);
    }
  }

  close(): void {
    for (const feed of this.#asked) feed.close();
    for (const parked of this.#parked) this.#drop(parked);
  }

  /** A daemon that ends each stream after an event is not asked again at once. */
  #endedAt(key: string): boolean {
    const ended = [...this.#parked].filter((parked) => parked.key === key && parked.feed.over);
    for (const parked of ended) this.#drop(parked);
    return ended.length > 0;
  }

  #taken(key: string): EventFeed | undefined {
    for (const parked of this.#parked) {
      if (parked.key !== key || parked.feed.over) continue;
      clearTimeout(parked.timer);
      this.#parked.delete(parked);
      return parked.feed;
    }
    return undefined;
  }

  #park(key: string, feed: EventFeed): void {
    const parked: Parked = { key, feed, timer: setTimeout(() => this.#drop(parked), parkedMs) };
    this.#parked.add(parked);
    const [oldest] = this.#parked;
    if (this.#parked.size > mostParked && oldest !== undefined) this.#drop(oldest);
  }

  #drop(parked: Parked): void {
    clearTimeout(parked.timer);
    this.#parked.delete(parked);
    parked.feed.close();
  }
}

const keyOf = (workerId: string, cursor: string | undefined): string => `${workerId}/${cursor ?? ''}`;
