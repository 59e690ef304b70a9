// Feeds one service: events numbered from 1, in batches of a random size, a few of them awaited, some of them harmful.
// It waits for each answer before it sends on, so that the order in which events were accepted is the order of numbers.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, HostError } from '../../protocol/client/client.ts';
import type { Random } from './random.ts';

export interface Feed {
  readonly plugin: string;
  /** So many are to be accepted; what is refused comes on top. */
  readonly events: number;
  /** About so long it takes for them, when nothing is in its way. */
  readonly durationMs: number;
}

const largestBatch = 64;
/** One event in so many ends its cell, or tries to; one in so many fails by itself. */
const fatalOneIn = 400;
const failingOneIn = 50;
const awaitedOneIn = 20;
const awaitedMs = 60_000;
const mostAwaited = 8;
const pauseMs = 20;
/** A machine that is busy with other things takes longer than was asked for, but not for ever. */
const patience = 4;
const leastMs = 60_000;

const harmless = ['fine', 'fine', 'fine', 'fine', 'fine', 'later', 'busy', 'log'] as const;
const failing = ['throw', 'throw-null', 'unsendable'] as const;
const fatal = ['exit', 'exit', 'loop', 'hang', 'late-throw', 'late-rejection', 'memory'] as const;

interface SoakEvent {
  readonly ingress: 'soak';
  readonly kind: 'event';
  readonly payload: { readonly n: number; readonly deed: string; readonly times: number };
}

export class Feeder {
  readonly #client: Client;
  readonly #random: Random;
  readonly #feed: Feed;
  readonly #awaited = new Set<Promise<void>>();
  #sent = 0;
  #accepted = 0;
  #fault: string | undefined;

  constructor(client: Client, random: Random, feed: Feed) {
    this.#client = client;
    this.#random = random;
    this.#feed = feed;
  }

  get plugin(): string {
    return this.#feed.plugin;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Published ones the daemon said it has accepted; those that somebody awaits are told otherwise. */
  get accepted(): number {
    return this.#accepted;
  }

  get fault(): string | undefined {
    return this.#fault;
  }

  async run(): Promise<void> {
    const beganMs = performance.now();
    const { events, durationMs } = this.#feed;
    const endMs = beganMs + Math.max(leastMs, durationMs * patience);
    while (this.#accepted < events && this.#fault === undefined) {
      await (this.#random.oneIn(awaitedOneIn) ? this.#deliver() : this.#publish());
      const nowMs = performance.now();
      const aheadMs = (this.#accepted / events) * durationMs - (nowMs - beganMs);
      if (aheadMs > 0) await sleep(aheadMs);
      if (nowMs > endMs)
        this.#fault ??= `only ${String(this.#accepted)} of ${String(events)} events were accepted within ${String(Math.round((nowMs - beganMs) / 1000))} s`;
    }
    await Promise.all(this.#awaited);
  }

  #next(): SoakEvent {
    this.#sent += 1;
    const deed = this.#random.oneIn(fatalOneIn)
      ? this.#random.pick(fatal)
      : this.#random.oneIn(failingOneIn)
        ? this.#random.pick(failing)
        : this.#random.pick(harmless);
    // Most harm is over when the event comes again; some never is.
    return { ingress: 'soak', kind: 'event', payload: { n: this.#sent, deed, times: this.#random.oneIn(4) ? 100 : 1 } };
  }

  async #publish(): Promise<void> {
    const size = Math.min(1 + this.#random.below(largestBatch), this.#feed.events - this.#accepted);
    const events = Array.from({ length: size }, () => this.#next());
    const accepted = await this.#accept(events);
    this.#accepted += accepted;
    // Full, or between two lives: give it a moment.
    if (accepted < size) await sleep(pauseMs);
  }

  async #accept(events: SoakEvent[]): Promise<number> {
    try {
      const answer = await this.#client.call('ingress.publish', { plugin: this.plugin, events });
      return 'results' in answer ? answer.results.filter((result) => result.accepted).length : 0;
    } catch (thrown) {
      // Its plugin is just being unloaded and loaded.
      if (thrown instanceof HostError && thrown.code === 'plugin_not_found') return 0;
      throw thrown;
    }
  }

  async #deliver(): Promise<void> {
    const event = this.#next();
    const waiting = this.#outcome(event).finally(() => this.#awaited.delete(waiting));
    this.#awaited.add(waiting);
    if (this.#awaited.size >= mostAwaited) await Promise.race(this.#awaited);
  }

  async #outcome(event: SoakEvent): Promise<void> {
    try {
      const { output } = await this.#client.call('ingress.deliver', {
        plugin: this.plugin,
        event,
        timeoutMs: awaitedMs,
      });
      if (output !== event.payload.n)
        this.#fault ??= `event ${String(event.payload.n)} was answered ${JSON.stringify(output)}`;
    } catch (thrown) {
      if (!(thrown instanceof HostError)) throw thrown;
      // Every other end of an event is one that may be.
      if (thrown.code === 'internal' || thrown.code === 'connection_closed')
        this.#fault ??= `event ${String(event.payload.n)} was answered ${thrown.code}: ${thrown.message}`;
    }
  }
}
