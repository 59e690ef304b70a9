// The bounded queue of one service, first in first out. Events that a cell's end gave back go to the front, in
// their old order.
import type { QueuedEvent } from './queued-event.ts';

/** A consumed front is cut off when it is this long and most of the array. */
const compactAfter = 1024;

export class IngressQueue {
  #capacity: number;
  #maxBytes: number;
  #items: QueuedEvent[] = [];
  #head = 0;
  #bytes = 0;
  #awaited = 0;

  constructor(limits: { readonly capacity: number; readonly maxBytes: number }) {
    this.#capacity = limits.capacity;
    this.#maxBytes = limits.maxBytes;
  }

  get capacity(): number {
    return this.#capacity;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Nothing that is here is turned away by a smaller bound. */
  resize(limits: { readonly capacity: number; readonly maxBytes: number }): void {
    this.#capacity = limits.capacity;
    this.#maxBytes = limits.maxBytes;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Events whose outcome somebody waits for. */
  get awaited(): number {
    return this.#awaited;
  }

  get oldest(): QueuedEvent | undefined {
    return this.#items[this.#head];
  }

  /** All of them, in order; they stay. */
  *[Symbol.iterator](): Generator<QueuedEvent, void> {
    for (let at = this.#head; at < this.#items.length; at += 1) {
      const event = this.#items[at];
      if (event !== undefined) yield event;
    }
  }

  /** The next so many; they stay. */
  first(count: number): QueuedEvent[] {
    return this.#items.slice(this.#head, this.#head + count);
  }

  push(event: QueuedEvent): void {
    this.#items.push(event);
    this.#count(event, 1);
  }

  /** What was taken and never begun comes back, oldest first, before everything else. */
  giveBack(events: readonly QueuedEvent[]): void {
    if (events.length === 0) return;
    this.#items = [...events, ...this.#items.slice(this.#head)];
    this.#head = 0;
    for (const event of events) this.#count(event, 1);
  }

  /** Up to `most` events of together at most `mostBytes`, but always one where there is one. */
  take(most: number, mostBytes: number): QueuedEvent[] {
    const taken: QueuedEvent[] = [];
    let bytes = 0;
    while (taken.length < most) {
      const next = this.#items[this.#head];
      if (next === undefined || (taken.length > 0 && bytes + next.bytes > mostBytes)) break;
      taken.push(next);
      bytes += next.bytes;
      this.#count(next, -1);
      this.#head += 1;
    }
    this.#compact();
    return taken;
  }

  /** Takes out every event that `which` picks, in order. */
  removeWhere(which: (event: QueuedEvent) => boolean): QueuedEvent[] {
    const removed: QueuedEvent[] = [];
    const kept: QueuedEvent[] = [];
    for (let at = this.#head; at < this.#items.length; at += 1) {
      const event = this.#items[at] as QueuedEvent;
      (which(event) ? removed : kept).push(event);
    }
    for (const event of removed) this.#count(event, -1);
    this.#items = kept;
    this.#head = 0;
    return removed;
  }

  #count({ bytes, waiter }: QueuedEvent, by: 1 | -1): void {
    this.#bytes += by * bytes;
    if (waiter !== undefined) this.#awaited += by;
  }

  #compact(): void {
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head >= compactAfter && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }
}
