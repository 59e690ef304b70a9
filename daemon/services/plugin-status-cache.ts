// The plugin's own word on its state: an extra that is fetched with a deadline, kept, and marked when it is old.
// The host's view never waits for it.
import type { ServiceStatus } from '../../protocol/status.ts';
import type { CallOutcome } from '../cells/cell.ts';
import type { Clock } from '../time/clock.ts';
import { type Redact, causeOf, causeText } from '../dispatch/plugin-error.ts';

export interface StatusSource {
  readonly number: number;
  status(deadlineMs: number): Promise<CallOutcome<string>>;
}

/** Older than this, or of another incarnation, or followed by a failed fetch: stale. */
const freshMs = 5000;

export class PluginStatusCache {
  readonly #clock: Clock;
  readonly #redact: Redact;
  #last:
    | { readonly value: unknown; readonly wallMs: number; readonly monotonicMs: number; readonly incarnation: number }
    | undefined;
  #error: string | undefined;
  #fetching: Promise<void> | undefined;

  constructor(clock: Clock, redact: Redact) {
    this.#clock = clock;
    this.#redact = redact;
  }

  /** One fetch at a time: a plugin that is slow to tell its state is not asked twice. */
  async refresh(source: StatusSource, deadlineMs: number): Promise<void> {
    this.#fetching ??= this.#fetch(source, deadlineMs).finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  view(incarnation: number): ServiceStatus['reported'] {
    if (this.#last === undefined) {
      return this.#error === undefined
        ? null
        : { value: null, at: new Date(this.#clock.wallMs()).toISOString(), stale: true, error: this.#error };
    }
    const stale =
      this.#error !== undefined ||
      this.#last.incarnation !== incarnation ||
      this.#clock.monotonicMs() - this.#last.monotonicMs > freshMs;
    return {
      value: this.#last.value,
      at: new Date(this.#last.wallMs).toISOString(),
      stale,
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
  }

  /** It may hold what the plugin's environment told it in confidence, in names and, escaped or not, in texts. */
  #redacted(json: string): unknown {
    return JSON.parse(this.#redact(json), (_name, value: unknown) =>
      typeof value === 'string' ? this.#redact(value) : value,
    );
  }

  async #fetch(source: StatusSource, deadlineMs: number): Promise<void> {
    const outcome = await source.status(deadlineMs);
    if (outcome.ok) {
      // Made by JSON.stringify inside the cell and bounded there.
      this.#last = {
        value: this.#redacted(outcome.value),
        wallMs: this.#clock.wallMs(),
        monotonicMs: this.#clock.monotonicMs(),
        incarnation: source.number,
      };
      this.#error = undefined;
    } else if (outcome.phase === 'deadline') {
      this.#error = `status() did not answer within ${String(deadlineMs)} ms`;
    } else if (outcome.phase === 'ended') {
      this.#error = 'the cell ended before status() answered';
    } else {
      this.#error = `status() failed: ${causeText(causeOf(outcome.error, this.#redact))}`;
    }
  }
}
