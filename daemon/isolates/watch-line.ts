// The host's end of the pipe to a cell's watchdog thread: puts questions to the cell's main thread through it. That the
// pipe is open is what keeps the cell alive.
import type { Duplex } from 'node:stream';
import type { WatchAnswer, WatchQuestion } from '../../protocol/cell/process-messages.ts';
import { TextLines } from '../../protocol/text-lines.ts';
import { awakeTime } from '../time/awake-time.ts';

/** A watchdog says little; whoever says more on its pipe is none. */
const maxLineLength = 1024 * 1024;

/** A line that closed belongs to a process that is about to be seen to have ended. */
export const closedLineMs = 200;

type Settle = (result: unknown) => void;

export class WatchLine {
  readonly #pipe: Duplex;
  readonly #asks = new Map<number, Settle>();
  #lastAsk = 0;
  #lastTaken = 0;
  readonly #lines = new TextLines();
  #closed = false;
  #up = false;

  constructor(pipe: Duplex, broken: () => void) {
    this.#pipe = pipe;
    pipe.setEncoding('utf8');
    pipe.on('data', (text: string) => this.#read(text));
    pipe.on('error', () => {
      // Closing follows, and tells.
    });
    pipe.on('close', () => {
      this.#close();
      broken();
    });
  }

  /** The watchdog has begun: from here on silence is the main thread's. */
  get up(): boolean {
    return this.#up && !this.#closed;
  }

  /** The watchdog has got the last question: that it is not answered is the main thread's doing. */
  get heard(): boolean {
    return this.#lastTaken === this.#lastAsk;
  }

  /**
   * What the main thread answers to an expression: the inspector's result. Nothing where it does not, or not in time.
   */
  evaluate(expression: string, withinMs: number): Promise<unknown> {
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#lastAsk += 1;
      const ask = this.#lastAsk;
      const settle: Settle = (result) => {
        timer.cancel();
        this.#asks.delete(ask);
        resolve(result);
      };
      const timer = awakeTime.after(withinMs, () => settle(undefined));
      this.#asks.set(ask, settle);
      this.#pipe.write(`${JSON.stringify({ ask, expression } satisfies WatchQuestion)}\n`);
    });
  }

  close(): void {
    this.#close();
    this.#pipe.destroy();
  }

  #close(): void {
    this.#closed = true;
    for (const settle of this.#asks.values()) settle(undefined);
  }

  #read(text: string): void {
    const lines = this.#lines.push(text);
    if (this.#lines.partialLength > maxLineLength) {
      this.close();
      return;
    }
    for (const line of lines) {
      const answer = answerOf(line);
      if (answer?.ask === 0) this.#up = true;
      else if (answer?.taken === true) this.#lastTaken = answer.ask;
      else if (answer !== undefined) this.#asks.get(answer.ask)?.(answer.result);
    }
  }
}

function answerOf(line: string): WatchAnswer | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || !('ask' in value) || typeof value.ask !== 'number')
      return undefined;
    const { ask } = value;
    if ('taken' in value) return { ask, taken: true };
    return 'result' in value ? { ask, result: value.result } : undefined;
  } catch {
    // Not of our watchdog: a plugin has written on a descriptor that is not its own.
    return undefined;
  }
}
