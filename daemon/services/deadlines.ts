// The deadlines of those who wait for an answer. Nearly all of them are answered long before, so that there is one timer for
// all, and a deadline costs a link in a list: those of one length pass in the order in which they were set.
import type { Clock, Timer } from '../clock.ts';

export interface Deadline {
  readonly dueMs: number;
  readonly pass: () => void;
  readonly list: DeadlineList;
  next: Deadline | undefined;
  over: boolean;
}

interface DeadlineList {
  first: Deadline | undefined;
  last: Deadline | undefined;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #lists = new Map<number, DeadlineList>();
  #open = 0;
  #timer: Timer | undefined;
  #timerDueMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `pass` is called after this time, unless the deadline is lifted. */
  set(fromMs: number, afterMs: number, pass: () => void): Deadline {
    let list = this.#lists.get(afterMs);
    if (list === undefined) this.#lists.set(afterMs, (list = { first: undefined, last: undefined }));
    const deadline: Deadline = { dueMs: fromMs + afterMs, pass, list, next: undefined, over: false };
    if (list.last === undefined) list.first = deadline;
    else list.last.next = deadline;
    list.last = deadline;
    this.#open += 1;
    if (deadline.dueMs < this.#timerDueMs) this.#arm(deadline.dueMs);
    return deadline;
  }

  lift(deadline: Deadline): void {
    if (deadline.over) return;
    this.#end(deadline);
    unlinkEnded(deadline.list);
    if (this.#open === 0) this.#rest();
  }

  #end(deadline: Deadline): void {
    deadline.over = true;
    this.#open -= 1;
  }

  #rest(): void {
    this.#lists.clear();
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
    this.#timer = undefined;
    this.#timerDueMs = Infinity;
    const nowMs = this.#clock.monotonicMs();
    for (const [afterMs, list] of this.#lists) {
      for (let first = list.first; first !== undefined && first.dueMs <= nowMs; first = list.first) {
        this.#end(first);
        unlinkEnded(list);
        first.pass();
      }
      if (list.first === undefined) this.#lists.delete(afterMs);
    }
    const nextMs = Math.min(...[...this.#lists.values()].map(({ first }) => first?.dueMs ?? Infinity));
    if (nextMs < this.#timerDueMs) this.#arm(nextMs);
  }
}

/** Those in the middle go when the front comes to them: a service settles in the order in which it was asked. */
function unlinkEnded(list: DeadlineList): void {
  while (list.first?.over === true) list.first = list.first.next;
  if (list.first === undefined) list.last = undefined;
}
