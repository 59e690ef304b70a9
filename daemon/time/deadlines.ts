// The deadlines of those who wait for an answer. Nearly all of them are answered long before, so that there is one
// timer for all, and a deadline costs a link in a list: those of one length pass in the order in which they were set.
import type { Clock, Timer } from './clock.ts';

export interface Deadline {
  readonly dueMs: number;
  readonly afterMs: number;
  readonly pass: () => void;
  before: Deadline | undefined;
  behind: Deadline | undefined;
  over: boolean;
}

interface DeadlineList {
  first: Deadline | undefined;
  last: Deadline | undefined;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #lists = new Map<number, DeadlineList>();
  #timer: Timer | undefined;
  #timerDueMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `pass` is called after this time, and never before it, unless the deadline is lifted. */
  set(fromMs: number, afterMs: number, pass: () => void): Deadline {
    let list = this.#lists.get(afterMs);
    if (list === undefined) this.#lists.set(afterMs, (list = { first: undefined, last: undefined }));
    const deadline: Deadline = {
      dueMs: fromMs + afterMs,
      afterMs,
      pass,
      before: list.last,
      behind: undefined,
      over: false,
    };
    if (list.last === undefined) list.first = deadline;
    else list.last.behind = deadline;
    list.last = deadline;
    if (deadline.dueMs < this.#timerDueMs) this.#arm(deadline.dueMs);
    return deadline;
  }

  lift(deadline: Deadline): void {
    this.#end(deadline);
    if (this.#lists.size === 0) this.#disarm();
  }

  #end(deadline: Deadline): void {
    const list = this.#lists.get(deadline.afterMs);
    if (deadline.over || list === undefined) return;
    deadline.over = true;
    const { before, behind } = deadline;
    if (before === undefined) list.first = behind;
    else before.behind = behind;
    if (behind === undefined) list.last = before;
    else behind.before = before;
    if (list.first === undefined) this.#lists.delete(deadline.afterMs);
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerDueMs = Infinity;
  }

  #arm(dueMs: number): void {
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = this.#clock.after(Math.max(1, Math.ceil(dueMs - this.#clock.monotonicMs())), () => this.#passed());
  }

  #passed(): void {
    this.#disarm();
    const nowMs = this.#clock.monotonicMs();
    for (const list of this.#lists.values()) {
      for (let first = list.first; first !== undefined && first.dueMs <= nowMs; first = list.first) {
        this.#end(first);
        first.pass();
      }
    }
    let nextMs = Infinity;
    for (const { first } of this.#lists.values()) nextMs = Math.min(nextMs, first?.dueMs ?? Infinity);
    if (nextMs < this.#timerDueMs) this.#arm(nextMs);
  }
}
