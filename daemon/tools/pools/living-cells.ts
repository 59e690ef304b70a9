// The threads or processes that exist, counted until they are really gone: pools forget a cell when they order its
// end, but one that sits in native code goes on living, and must be seen and bounded.
import { HostError } from '../../../protocol/errors.ts';
import { type EndableThread, terminateThread } from '../../isolates/thread-termination.ts';
import type { Clock, Timer } from '../../time/clock.ts';

export interface EndableCell {
  once(event: 'exit', listener: () => void): unknown;
  unref?(): void;
}

interface Life {
  readonly id: number;
  readonly thread: EndableThread | undefined;
  endDue?: Timer;
  /** It has not ended in the time it had. */
  leftBehind?: true;
}

export class LivingCells {
  readonly #lives = new Map<EndableCell, Life>();
  readonly #clock: Clock;
  readonly #killMs: number;
  readonly #troubled: (error: HostError) => void;
  readonly #gone: (leftBehind: boolean) => void;
  readonly #waiters: (() => void)[] = [];

  constructor(options: {
    clock: Clock;
    killMs: number;
    troubled(error: HostError): void;
    gone(leftBehind: boolean): void;
  }) {
    this.#clock = options.clock;
    this.#killMs = options.killMs;
    this.#troubled = options.troubled;
    this.#gone = options.gone;
  }

  get size(): number {
    return this.#lives.size;
  }

  /** Cells that did not end in time and still exist. */
  get leftBehind(): number {
    let count = 0;
    for (const life of this.#lives.values()) if (life.leftBehind === true) count += 1;
    return count;
  }

  has(cell: EndableCell): boolean {
    return this.#lives.has(cell);
  }

  /** `thread`: where the cell is one. */
  add(cell: EndableCell, id: number, thread?: EndableThread): void {
    this.#lives.set(cell, { id, thread });
    cell.once('exit', () => this.#remove(cell));
  }

  /**
   * The cell's end was ordered: what does not end in time is told of, and no longer keeps the daemon alive. `loadMs`:
   * it may have to load first.
   */
  expectEnd(cell: EndableCell, loadMs = 0): void {
    const life = this.#lives.get(cell);
    if (life === undefined || life.endDue !== undefined) return;
    if (life.thread !== undefined) terminateThread(life.thread);
    life.endDue = this.#clock.after(this.#killMs + loadMs, () => {
      life.leftBehind = true;
      cell.unref?.();
      this.#troubled(
        new HostError(
          'tool_timeout',
          `A cell of the plugin's tools does not end within ${String(this.#killMs)} ms: it sits in native code. It is not waited for.`,
          { unkillable: true, cell: life.id },
        ),
      );
    });
  }

  /** Resolves when nothing lives any more, or at the deadline. */
  async allGone(deadlineMs: number): Promise<void> {
    if (this.#lives.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(deadlineMs, resolve);
      this.#waiters.push(() => {
        timer.cancel();
        resolve();
      });
    });
    // Whoever is left has had its time: nobody may be told of it later.
    for (const life of this.#lives.values()) {
      life.endDue?.cancel();
      life.leftBehind = true;
    }
  }

  #remove(cell: EndableCell): void {
    const life = this.#lives.get(cell);
    life?.endDue?.cancel();
    this.#lives.delete(cell);
    if (this.#lives.size === 0) {
      for (const resolve of this.#waiters.splice(0)) resolve();
    }
    this.#gone(life?.leftBehind === true);
  }
}
