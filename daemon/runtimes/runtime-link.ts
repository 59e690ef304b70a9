// The registry's line to one runtime: every question has a deadline, and a runtime that let one pass is not waited for
// in lists again until it has answered something in time. So one that hangs or is always slow costs the others' readers
// one deadline, once.
import { HostError, asHostError } from '../../protocol/errors.ts';
import { plural } from '../../protocol/plural.ts';
import type { Clock } from '../time/clock.ts';
import type { Limits } from '../config/schema.ts';
import type { Awaitable, Runtime } from './runtime.ts';

export interface LinkDeps {
  readonly clock: Pick<Clock, 'after'>;
  readonly limits: Pick<Limits, 'runtimeMs' | 'runtimeCalls'>;
}

export interface AskOptions<Answer> {
  /** Beyond the usual deadline, for a question that waits by itself. */
  readonly moreMs?: number;
  /** Takes care of an answer that came too late to be given to anybody. */
  late?(answer: Answer): void;
}

export class RuntimeLink {
  readonly runtime: Runtime;
  readonly #deps: LinkDeps;
  #pending = 0;
  #silent = false;
  #probing = false;

  constructor(runtime: Runtime, deps: LinkDeps) {
    this.runtime = runtime;
    this.#deps = deps;
  }

  /** An answer that is there at once is given at once. */
  ask<Answer>(question: (runtime: Runtime) => Awaitable<Answer>, options: AskOptions<Answer> = {}): Awaitable<Answer> {
    const { runtimeCalls } = this.#deps.limits;
    if (this.#pending >= runtimeCalls)
      throw this.#unavailable(`${plural(runtimeCalls, 'call waits', 'calls wait')} for it already`, {
        limit: 'limits.runtimeCalls',
        maximum: runtimeCalls,
      });
    const answer = question(this.runtime);
    return answer instanceof Promise ? this.#within(answer, options) : answer;
  }

  /** For lists: a runtime that has fallen silent is asked aside, and they go without it. */
  askIfHeard<Answer>(question: (runtime: Runtime) => Awaitable<Answer>): Awaitable<Answer> {
    if (!this.#silent) return this.ask(question);
    this.#probe();
    throw this.#unavailable('it has not answered since its last deadline', {});
  }

  #probe(): void {
    if (this.#probing) return;
    this.#probing = true;
    void this.#ask().finally(() => {
      this.#probing = false;
    });
  }

  async #ask(): Promise<void> {
    try {
      await this.ask((runtime) => runtime.report());
      this.#silent = false;
    } catch {
      // It is as unavailable as before; whoever asks next is told so.
    }
  }

  #within<Answer>(answer: Promise<Answer>, { moreMs = 0, late }: AskOptions<Answer>): Promise<Answer> {
    const ownMs = this.runtime.moreMs ?? 0;
    const deadlineMs = this.#deps.limits.runtimeMs + ownMs + moreMs;
    // One that waits for something to happen is bounded by what its caller may have pending, and one that waits for the
    // disk by what may wait for it: neither keeps anybody out.
    const share = ownMs + moreMs > 0 ? 0 : 1;
    this.#pending += share;
    return new Promise((resolve, reject) => {
      let overdue = false;
      const timer = this.#deps.clock.after(deadlineMs, () => {
        overdue = true;
        this.#silent = true;
        this.#pending -= share;
        reject(this.#unavailable(`it did not answer within ${String(deadlineMs)} ms`, { timeoutMs: deadlineMs }));
      });
      const settled = (): boolean => {
        // A late answer is no sign that the next one comes in time: one that is always slow would slow every list.
        if (overdue) return false;
        this.#silent = false;
        timer.cancel();
        this.#pending -= share;
        return true;
      };
      answer.then(
        (value) => {
          if (settled()) resolve(value);
          else late?.(value);
        },
        (thrown: unknown) => {
          if (!settled()) return;
          // Somebody nearer to it kept the deadline.
          this.#silent = asHostError(thrown).code === 'runtime_timeout';
          reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
        },
      );
    });
  }

  #unavailable(why: string, details: Record<string, unknown>): HostError {
    const { runtimeId } = this.runtime;
    return new HostError('runtime_unavailable', `The runtime ${runtimeId} is unavailable: ${why}.`, {
      runtimeId,
      ...details,
    });
  }
}
