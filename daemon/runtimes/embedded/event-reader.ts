// One reader's place in a worker's backlog: what it is owed next, and nothing else. A reader that is new, comes with a
// cursor that means nothing here, or fell out of the backlog is owed a snapshot, and told why.
import type { WorkerEvent } from '../../../protocol/runtime.ts';

type Gap = Extract<WorkerEvent, { type: 'diagnostic' }>['code'];

const wordings: Readonly<Record<Gap, string>> = {
  cursor_foreign: "The cursor is not one of this worker's; a snapshot follows.",
  cursor_expired: 'What came after the cursor is no longer kept; a snapshot follows.',
  events_dropped: 'The reader was slower than what happened, and events were dropped; a snapshot follows.',
};

/** The events of one worker as its readers see them; `number` counts from 1 without a gap. */
export interface Backlog {
  /** Of the oldest that is kept, and of the newest. */
  readonly first: number;
  readonly last: number;
  at(number: number): WorkerEvent | undefined;
  snapshot(): WorkerEvent;
  now(): string;
  cursorOf(number: number): string;
  /** Undefined for a cursor that was not made here. */
  numberOf(cursor: string): number | undefined;
}

export class EventReader {
  readonly #backlog: Backlog;
  #gap: Gap | undefined;
  #wantsSnapshot = false;
  /** Of the last event it has taken. */
  #place = 0;

  constructor(backlog: Backlog, after: string | undefined) {
    this.#backlog = backlog;
    if (after === undefined) {
      this.#wantsSnapshot = true;
      return;
    }
    const place = backlog.numberOf(after);
    if (place === undefined) this.#gap = 'cursor_foreign';
    else if (place + 1 < backlog.first) this.#gap = 'cursor_expired';
    else this.#place = place;
  }

  /** A page must not end here: its cursor would not lead to the snapshot. */
  get owesSnapshot(): boolean {
    return this.#wantsSnapshot;
  }

  get cursor(): string {
    return this.#backlog.cursorOf(this.#place);
  }

  get hasNext(): boolean {
    return this.#gap !== undefined || this.#wantsSnapshot || this.#place < this.#backlog.last;
  }

  /** Offers what comes next; false where there is nothing, or it was not taken: then it comes again. */
  offer(take: (event: WorkerEvent) => boolean): boolean {
    const { first, last } = this.#backlog;
    if (this.#gap === undefined && !this.#wantsSnapshot && this.#place + 1 < first) this.#gap = 'events_dropped';
    if (this.#gap !== undefined) {
      if (
        !take({
          type: 'diagnostic',
          at: this.#backlog.now(),
          cursor: null,
          code: this.#gap,
          message: wordings[this.#gap],
        })
      )
        return false;
      this.#gap = undefined;
      this.#wantsSnapshot = true;
      return true;
    }
    if (this.#wantsSnapshot) {
      if (!take(this.#backlog.snapshot())) return false;
      this.#wantsSnapshot = false;
      this.#place = last;
      return true;
    }
    const event = this.#backlog.at(this.#place + 1);
    if (event === undefined || !take(event)) return false;
    this.#place += 1;
    return true;
  }
}
