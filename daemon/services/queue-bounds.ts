// How much may wait for one service: by number, by bytes in memory and by bytes on disk.
import type { Durability, ServiceSection } from '../../protocol/manifest.ts';
import { plural } from '../../protocol/plural.ts';
import type { IngressQueue } from '../dispatch/ingress-queue.ts';
import type { QueuedEvent } from '../dispatch/queued-event.ts';
import type { KeptQueue } from './durable/kept-queue.ts';

export type QueueBound = 'queue.capacity' | 'queue.maxBytes' | 'queue.diskBytes';

export class QueueBounds {
  readonly #queue: IngressQueue;
  readonly #kept: KeptQueue | undefined;
  #durability: Durability = 'disk';
  #diskBytes = 0;

  /** `kept`: the queue on disk; undefined where nothing can be stored. */
  constructor(queue: IngressQueue, kept: KeptQueue | undefined, section: ServiceSection['queue']) {
    this.#queue = queue;
    this.#kept = kept;
    this.replan(section);
  }

  replan({ durability = 'disk', diskBytes }: ServiceSection['queue']): void {
    this.#durability = durability;
    this.#diskBytes = diskBytes;
  }

  get durability(): Durability {
    return this.#kept === undefined ? 'memory' : this.#durability;
  }

  /** The bound that it would exceed. `depth`: the events that wait. */
  lacks({ bytes, waiter }: QueuedEvent, depth: number): QueueBound | undefined {
    const { capacity, maxBytes, bytes: waiting, awaitedBytes } = this.#queue;
    const kept = this.#kept;
    if (kept === undefined || this.#durability === 'memory') {
      if (depth >= capacity) return 'queue.capacity';
      return waiting + bytes > maxBytes ? 'queue.maxBytes' : undefined;
    }
    if (depth + kept.pending >= capacity) return 'queue.capacity';
    if (waiter !== undefined) return awaitedBytes + bytes > maxBytes ? 'queue.maxBytes' : undefined;
    if (kept.bytes + bytes > this.#diskBytes) return 'queue.diskBytes';
    return kept.pending > 0 && kept.pendingBytes + bytes > maxBytes ? 'queue.maxBytes' : undefined;
  }

  isHalfFree(depth: number): boolean {
    const { capacity, maxBytes, bytes } = this.#queue;
    const kept = this.#kept;
    if (kept === undefined || this.#durability === 'memory') return depth <= capacity / 2 && bytes <= maxBytes / 2;
    return (
      depth + kept.pending <= capacity / 2 && kept.bytes <= this.#diskBytes / 2 && kept.pendingBytes <= maxBytes / 2
    );
  }

  /** How much waits where this bound is reached. */
  words(limit: QueueBound): string {
    if (limit === 'queue.capacity') return plural(this.#queue.capacity, 'event waits', 'events wait');
    if (limit === 'queue.maxBytes') return plural(this.#queue.maxBytes, 'byte waits', 'bytes wait');
    return plural(this.#diskBytes, 'byte is kept on disk', 'bytes are kept on disk');
  }
}
