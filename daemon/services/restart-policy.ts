// When a failed service comes back: OTP's intensity within a period, exponential backoff with full jitter between two
// bounds, and a fresh start after a stable time. Pure: time and randomness come in, a decision goes out.
import type { ServiceSection } from '../../protocol/manifest.ts';

export type RestartOptions = ServiceSection['restart'];

export type Decision =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly attempt: number }
  | { readonly kind: 'give_up'; readonly reason: string };

/** More than lie between the bounds of any configuration; without end the cap would come to be no number. */
const mostDoublings = 40;

export class RestartPolicy {
  readonly #options: RestartOptions;
  readonly #random: () => number;
  /** When the restarts of the present period were decided. */
  #decidedMs: number[] = [];
  /** Failures in a row, without a stable run between them. */
  #attempt = 0;

  /** `random` answers from 0 up to, and without, 1. */
  constructor(options: RestartOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  /**
   * The service failed; it had run for `ranMs` (nothing where its start failed). `outage`: the store did not work,
   * which is no fault of the service's and never makes it be given up.
   */
  failed(nowMs: number, ranMs: number, outage = false): Decision {
    const { policy, intensity, periodMs } = this.#options;
    if (policy === 'never') return { kind: 'give_up', reason: 'its restart policy is never' };
    if (ranMs >= periodMs) this.reset();
    this.#decidedMs = this.#decidedMs.filter((decidedMs) => nowMs - decidedMs < periodMs);
    if (!outage && this.#decidedMs.length >= intensity) {
      return {
        kind: 'give_up',
        reason: `it failed more than ${String(intensity)} times within ${String(periodMs)} ms`,
      };
    }
    if (!outage) this.#decidedMs.push(nowMs);
    this.#attempt += 1;
    return { kind: 'restart', delayMs: this.#backoff(), attempt: this.#attempt };
  }

  /** A stable run, or the operator's own start, wipes the slate. */
  reset(): void {
    this.#decidedMs = [];
    this.#attempt = 0;
  }

  /** Full jitter: anywhere between the lower bound and a cap that doubles with every failure in a row. */
  #backoff(): number {
    const [least, most] = this.#options.backoffMs;
    const cap = Math.max(least, Math.min(most, least * 2 ** Math.min(this.#attempt, mostDoublings)));
    return Math.round(least + this.#random() * (cap - least));
  }
}
