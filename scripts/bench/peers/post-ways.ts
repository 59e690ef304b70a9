// Raw postMessage to a bare worker thread: one at a time, with a window, and in batches of which two are on the way.
import { Worker } from 'node:worker_threads';
import { eventsOf } from '../payload.ts';
import { program } from '../place.ts';
import type { PostMessage } from './post-worker.ts';
import type { Way, Work } from './way.ts';

export const batchEvents = 64;
const events = eventsOf(4096);

/** Answers the next message and how many events are in it. */
type Next = () => readonly [message: PostMessage, events: number];

function ones(): Next {
  let at = 0;
  return () => {
    at = (at + 1) % events.length;
    return [{ one: events[at] as (typeof events)[number] }, 1];
  };
}

function slices(): Next {
  let at = 0;
  return () => {
    at = (at + batchEvents) % events.length;
    return [{ batch: events.slice(at, at + batchEvents) }, batchEvents];
  };
}

/** The texts are ready beforehand, as they are in a queue that was filled from a socket. */
function texts(): Next {
  const ready = Array.from({ length: events.length / batchEvents }, (_, at) =>
    events.slice(at * batchEvents, (at + 1) * batchEvents).map((event) => JSON.stringify(event)),
  );
  let at = 0;
  return () => {
    at = (at + 1) % ready.length;
    return [{ text: `[${ready[at]?.join(',') ?? ''}]` }, batchEvents];
  };
}

class PostWay implements Way {
  readonly #worker = new Worker(program('peers/post-worker'));
  readonly #window: number;
  readonly #next: Next;

  constructor(window: number, next: Next) {
    this.#window = window;
    this.#next = next;
  }

  busy(durationMs: number): Promise<Work> {
    const beganMs = performance.now();
    const sizes: number[] = [];
    let handled = 0;
    return new Promise((resolve) => {
      const send = (): void => {
        const [message, size] = this.#next();
        sizes.push(size);
        this.#worker.postMessage(message);
      };
      const take = (): void => {
        handled += sizes.shift() ?? 0;
        if (performance.now() - beganMs < durationMs) {
          send();
        } else if (sizes.length === 0) {
          this.#worker.off('message', take);
          resolve({ events: handled, tookMs: performance.now() - beganMs });
        }
      };
      this.#worker.on('message', take);
      for (let sent = 0; sent < this.#window; sent += 1) send();
    });
  }

  once(): Promise<void> {
    return new Promise((resolve) => {
      this.#worker.once('message', () => resolve());
      this.#worker.postMessage(this.#next()[0]);
    });
  }

  end(): Promise<unknown> {
    return this.#worker.terminate();
  }
}

export const postWays = {
  'post-one': () => new PostWay(1, ones()),
  'post-window': () => new PostWay(64, ones()),
  'post-batches': () => new PostWay(2, slices()),
  'post-texts': () => new PostWay(2, texts()),
} as const;
