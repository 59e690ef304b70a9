// The bounded queue of one service, first in first out. Events that a cell's end gave back go to the front, in
// their old order. Events that wait for a retry stand beside the others until their time has come.
import { Histogram } from '../../protocol/cell/histogram.ts';
import type { QueuedEvent } from './queued-event.ts';

/** A consumed front is cut off when it is this long and most of the array. */
const compactAfter = 1024;

/** An event that comes behind a stored one that is not here. */
interface FollowingEvent {
  readonly event: QueuedEvent;
  readonly after: number;
}

interface WaitingEvent {
  readonly event: QueuedEvent;
  readonly dueMs: number;
  /** Nothing may be taken before this event. */
  readonly holds: boolean;
}

export class IngressQueue {
  /** How long events waited here before they were given to a cell for the first time. */
  readonly waits = new Histogram();
  #capacity: number;
  #maxBytes: number;
  #items: QueuedEvent[] = [];
  #head = 0;
  /** The one that is due first stands first. */
  #waiting: WaitingEvent[] = [];
  #holding = 0;
  #bytes = 0;
  #awaited = 0;
  #awaitedBytes = 0;
  #paused = false;
  /** Events that are on disk alone, behind those that are here. */
  #absent = 0;
  #behind: FollowingEvent[] = [];
  #needed: (() => void) | undefined;

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
    return this.#items.length - this.#head + this.#waiting.length + this.#absent + this.#behind.length;
  }

  /** Events that may be taken now. */
  get ready(): number {
    return this.#holding > 0 || this.#paused ? 0 : this.#items.length - this.#head;
  }

  /** Nothing may be taken meanwhile. */
  pause(paused: boolean): void {
    this.#paused = paused;
  }

  /** So many events more, or fewer, are not here and are counted. */
  addAbsent(count: number): void {
    this.#absent += count;
  }

  /** Called when events that are not here may be needed. */
  whenNeeded(needed: () => void): void {
    this.#needed = needed;
  }

  /** It comes when the stored event `after`, which is not here yet, has come. */
  pushBehind(event: QueuedEvent, after: number): void {
    this.#behind.push({ event, after });
    this.#count(event, 1);
  }

  /** What comes behind stored events before this place takes its place now. */
  joinBehind(place: number): void {
    if (this.#behind.length === 0) return;
    const end = this.#behind.findIndex(({ after }) => after >= place);
    for (const { event } of this.#behind.splice(0, end === -1 ? this.#behind.length : end)) this.#items.push(event);
  }

  /** Events that wait for a retry. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** When the first of the events that wait for a retry is due. */
  get nextDueMs(): number | undefined {
    return this.#waiting[0]?.dueMs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Events whose outcome somebody waits for. */
  get awaited(): number {
    return this.#awaited;
  }

  get awaitedBytes(): number {
    return this.#awaitedBytes;
  }

  get oldest(): QueuedEvent | undefined {
    let oldest = this.#items[this.#head];
    for (const { event } of this.#waiting)
      if (oldest === undefined || event.acceptedMs < oldest.acceptedMs) oldest = event;
    return oldest;
  }

  /** All of them; they stay. One that holds the others back comes first, and those that hold nothing back come last. */
  *[Symbol.iterator](): Generator<QueuedEvent, void> {
    for (const { event, holds } of this.#waiting) if (holds) yield event;
    for (let at = this.#head; at < this.#items.length; at += 1) {
      const event = this.#items[at];
      if (event !== undefined) yield event;
    }
    for (const { event } of this.#behind) yield event;
    for (const { event, holds } of this.#waiting) if (!holds) yield event;
  }

  /** The next so many; they stay. */
  first(count: number): QueuedEvent[] {
    const first: QueuedEvent[] = [];
    for (const event of this) {
      if (first.length >= count) break;
      first.push(event);
    }
    return first;
  }

  /** Undefined: it waits for no retry. */
  dueMsOf(event: QueuedEvent): number | undefined {
    return this.#waiting.find((waiting) => waiting.event === event)?.dueMs;
  }

  push(event: QueuedEvent): void {
    this.#items.push(event);
    this.#count(event, 1);
  }

  /** What was taken and never begun comes back, oldest first, before everything else. */
  giveBack(events: readonly QueuedEvent[]): void {
    this.#putFirst(events);
    for (const event of events) this.#count(event, 1);
  }

  /** An event that is not to be taken before it is due. `holds`: nor is any other. */
  wait(event: QueuedEvent, dueMs: number, holds: boolean): void {
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1] as WaitingEvent).dueMs > dueMs) at -= 1;
    this.#waiting.splice(at, 0, { event, dueMs, holds });
    if (holds) this.#holding += 1;
    this.#count(event, 1);
  }

  /** What is due goes to the front, in the order in which it was accepted. Returns how many events these are. */
  release(nowMs: number): number {
    const waits = this.#waiting.findIndex(({ dueMs }) => dueMs > nowMs);
    const due = this.#waiting.splice(0, waits === -1 ? this.#waiting.length : waits);
    for (const { holds } of due) if (holds) this.#holding -= 1;
    this.#putFirst(due.map(({ event }) => event).sort(byAcceptance));
    return due.length;
  }

  /** Up to `most` events of together at most `mostBytes`, but always one where there is one. */
  take(most: number, mostBytes: number): QueuedEvent[] {
    const taken: QueuedEvent[] = [];
    let bytes = 0;
    while (taken.length < most && this.#holding === 0 && !this.#paused) {
      const next = this.#items[this.#head];
      if (next === undefined || (taken.length > 0 && bytes + next.bytes > mostBytes)) break;
      taken.push(next);
      bytes += next.bytes;
      this.#count(next, -1);
      this.#head += 1;
    }
    this.#compact();
    if (this.#absent > 0) this.#needed?.();
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
    this.#items = kept;
    this.#head = 0;
    this.#behind = this.#behind.filter(({ event }) => {
      const goes = which(event);
      if (goes) removed.push(event);
      return !goes;
    });
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#holding = 0;
    for (const one of waiting) {
      if (which(one.event)) {
        removed.push(one.event);
        continue;
      }
      this.#waiting.push(one);
      if (one.holds) this.#holding += 1;
    }
    for (const event of removed) this.#count(event, -1);
    if (this.#absent > 0) this.#needed?.();
    return removed;
  }

  #putFirst(events: readonly QueuedEvent[]): void {
    if (events.length === 0) return;
    this.#items = [...events, ...this.#items.slice(this.#head)];
    this.#head = 0;
  }

  #count({ bytes, waiter }: QueuedEvent, by: 1 | -1): void {
    this.#bytes += by * bytes;
    if (waiter === undefined) return;
    this.#awaited += by;
    this.#awaitedBytes += by * bytes;
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

/** Events that were read from disk have the time of their page in common. */
const byAcceptance = (one: QueuedEvent, other: QueuedEvent): number =>
  one.acceptedMs - other.acceptedMs || (one.place ?? 0) - (other.place ?? 0);
