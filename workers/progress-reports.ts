// What one call of a tool reports of its progress. The host hears of it at a bounded rate: a few reports at once, then
// the newest of each interval, and the last one before the answer.
import { type CallProgress, progressMessageLength } from '../protocol/cell/tool-messages.ts';
import { monotonicMs } from '../protocol/cell/register.ts';
import { captured } from './primitives.ts';

/** Reports that are passed on at once, before the rate counts. */
const burst = 10;
const intervalMs = 50;

export class ProgressReports {
  readonly #tell: (progress: CallProgress) => void;
  #left = burst;
  #refilledMs = monotonicMs();
  /** The newest report, which was not passed on yet. */
  #held: CallProgress | undefined;
  #timerRuns = false;
  #ended = false;

  constructor(tell: (progress: CallProgress) => void) {
    this.#tell = tell;
  }

  report(done: number, total?: number, message?: string): void {
    const progress: CallProgress = {
      done: amount('done', done),
      ...(total === undefined ? {} : { total: amount('total', total) }),
      ...(message === undefined ? {} : { message: `${message}`.slice(0, progressMessageLength) }),
    };
    if (this.#ended) return;
    this.#held = progress;
    this.#pass();
  }

  end(): void {
    if (this.#held !== undefined) this.#tell(this.#held);
    this.#held = undefined;
    this.#ended = true;
  }

  readonly #pass = (): void => {
    if (this.#held === undefined || this.#ended) return;
    const nowMs = monotonicMs();
    const refill = Math.floor((nowMs - this.#refilledMs) / intervalMs);
    if (refill > 0) {
      this.#left = Math.min(burst, this.#left + refill);
      this.#refilledMs = nowMs;
    }
    if (this.#left > 0) {
      this.#left -= 1;
      const progress = this.#held;
      this.#held = undefined;
      this.#tell(progress);
    } else if (!this.#timerRuns) {
      this.#timerRuns = true;
      captured.setTimeout(() => {
        this.#timerRuns = false;
        this.#pass();
      }, intervalMs);
    }
  };
}

function amount(name: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value < Number.MAX_SAFE_INTEGER) return value;
  throw new TypeError(`ctx.progress: ${name} must be a number that is 0 or more`);
}
