// The host's end of the pipe to a cell's watchdog thread: asks it where the plugin is. That the pipe is open is what
// keeps the cell alive.
import type { Duplex } from 'node:stream';
import type { RawFrame, StackAnswer, StackRequest } from '../../protocol/cell/process-messages.ts';

/** A watchdog says little; whoever says more on its pipe is none. */
const maxLineLength = 256 * 1024;
/** The watchdog answers within its own time; its answer needs a moment to arrive. */
const answerShare = 0.8;

type Ask = (answer: StackAnswer | undefined) => void;

export class WatchLine {
  readonly #pipe: Duplex;
  readonly #asks = new Map<number, Ask>();
  #lastAsk = 0;
  #partial = '';
  #closed = false;

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

  /** Undefined where the watchdog did not answer in time. */
  ask(withinMs: number): Promise<StackAnswer | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#lastAsk += 1;
      const ask = this.#lastAsk;
      const settle: Ask = (answer) => {
        clearTimeout(timer);
        this.#asks.delete(ask);
        resolve(answer);
      };
      const timer = setTimeout(() => settle(undefined), withinMs);
      this.#asks.set(ask, settle);
      this.#pipe.write(`${JSON.stringify({ ask, withinMs: withinMs * answerShare } satisfies StackRequest)}\n`);
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
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    if (this.#partial.length > maxLineLength) {
      this.close();
      return;
    }
    for (const line of lines) {
      const answer = answerOf(line);
      if (answer !== undefined) this.#asks.get(answer.ask)?.(answer);
    }
  }
}

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;
const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

const isFrame = (value: unknown): value is RawFrame =>
  isFields(value) && typeof value['function'] === 'string' && typeof value['url'] === 'string' && isCount(value['line']) && isCount(value['column']);

const isAnswer = (value: unknown): value is StackAnswer =>
  isFields(value) && isCount(value['ask']) && ['paused', 'idle', 'busy'].includes(value['state'] as string) && Array.isArray(value['frames']) && value['frames'].every(isFrame);

function answerOf(line: string): StackAnswer | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isAnswer(value) ? value : undefined;
  } catch {
    // Not of our watchdog: a plugin has written on a descriptor that is not its own.
    return undefined;
  }
}
