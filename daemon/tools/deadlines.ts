// The deadlines of many calls behind few timers. Calls that may take equally long run out in the order they came, so that
// one timer a length will do: setting and clearing one for each call cost more than posting the call.
import type { Clock, Timer } from '../clock.ts';
import { Chain, type Link } from './chain.ts';

export interface Deadlined {
  readonly timeoutMs: number;
  /** On the clock of `monotonicMs`. */
  readonly deadlineMs: number;
  overran(): void;
}

interface Line {
  readonly waiting: Chain<Deadlined>;
  timer: Timer | undefined;
}

/** Callers choose their timeouts: timers that nobody waits for are kept ready for no more lengths than this. */
const readyLines = 8;

export class Deadlines {
  readonly #clock: Clock;
  readonly #lines = new Map<number, Line>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `overran` is called at its deadline, never before, unless it is removed. */
  add(call: Deadlined): Link<Deadlined> {
    let line = this.#lines.get(call.timeoutMs);
    if (line === undefined) {
      line = { waiting: new Chain(), timer: undefined };
      this.#lines.set(call.timeoutMs, line);
    }
    line.timer ??= this.#timerFor(call.timeoutMs, line, call.timeoutMs);
    return line.waiting.append(call);
  }

  remove(call: Deadlined, link: Link<Deadlined>): void {
    const line = this.#lines.get(call.timeoutMs);
    if (line === undefined) return;
    line.waiting.remove(link);
    if (line.waiting.size === 0 && this.#lines.size > readyLines) this.#drop(call.timeoutMs, line);
  }

  /** Nobody waits any more. */
  close(): void {
    for (const [timeoutMs, line] of this.#lines) this.#drop(timeoutMs, line);
  }

  #timerFor(timeoutMs: number, line: Line, delayMs: number): Timer {
    return this.#clock.after(delayMs, () => this.#due(timeoutMs, line));
  }

  #due(timeoutMs: number, line: Line): void {
    line.timer = undefined;
    for (let call = line.waiting.first; call !== undefined; call = line.waiting.first) {
      const leftMs = call.deadlineMs - this.#clock.monotonicMs();
      if (leftMs > 0) {
        line.timer ??= this.#timerFor(timeoutMs, line, Math.ceil(leftMs));
        return;
      }
      line.waiting.removeFirst();
      call.overran();
    }
    if (line.timer === undefined) this.#drop(timeoutMs, line);
  }

  #drop(timeoutMs: number, line: Line): void {
    line.timer?.cancel();
    line.timer = undefined;
    if (this.#lines.get(timeoutMs) === line) this.#lines.delete(timeoutMs);
  }
}
