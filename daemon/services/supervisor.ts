// Brings a failed service back by its restart policy, or gives it up for good and says so. It holds the one timer of a
// pending restart; what a restart does is the service's own affair.
import type { ServiceStatus } from '../../protocol/status.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { type RestartOptions, RestartPolicy } from './restart-policy.ts';

export interface SupervisorDeps {
  readonly clock: Clock;
  readonly random: () => number;
  restart(): void;
}

export type Verdict =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly attempt: number }
  | { readonly kind: 'give_up'; readonly reason: string };

export class Supervisor {
  readonly #deps: SupervisorDeps;
  #policy: RestartPolicy;
  #pending: { readonly timer: Timer; readonly attempt: number; readonly nextAtMs: number } | undefined;
  #gaveUp: string | undefined;
  #lastAttempt = 0;

  constructor(options: RestartOptions, deps: SupervisorDeps) {
    this.#deps = deps;
    this.#policy = new RestartPolicy(options, deps.random);
  }

  get pending(): boolean {
    return this.#pending !== undefined;
  }

  /** Why it does not come back by itself. */
  get gaveUp(): string | undefined {
    return this.#gaveUp;
  }

  view(): ServiceStatus['restart'] {
    if (this.#pending !== undefined)
      return { pending: true, attempt: this.#pending.attempt, nextAt: new Date(this.#pending.nextAtMs).toISOString() };
    return this.#gaveUp === undefined ? null : { pending: false, attempt: this.#lastAttempt, nextAt: null };
  }

  /** The service failed after it had run for so long; nothing where its start failed. */
  failed(ranMs: number, outage = false): Verdict {
    const { clock } = this.#deps;
    const decision = this.#policy.failed(clock.monotonicMs(), ranMs, outage);
    if (decision.kind === 'give_up') return this.giveUp(decision.reason);
    this.#lastAttempt = decision.attempt;
    const timer = clock.after(decision.delayMs, () => {
      this.#pending = undefined;
      this.#deps.restart();
    });
    this.#pending = { timer, attempt: decision.attempt, nextAtMs: clock.wallMs() + decision.delayMs };
    return decision;
  }

  giveUp(reason: string): Verdict {
    this.#gaveUp = reason;
    return { kind: 'give_up', reason };
  }

  /** The service is wanted stopped, or is being started by hand. */
  cancel(): void {
    this.#pending?.timer.cancel();
    this.#pending = undefined;
    this.#gaveUp = undefined;
  }

  /** The operator's own start: what failed before is forgiven. */
  reset(): void {
    this.cancel();
    this.#lastAttempt = 0;
    this.#policy.reset();
  }

  /** A reload may bring another policy. */
  replan(options: RestartOptions): void {
    this.#policy = new RestartPolicy(options, this.#deps.random);
  }
}
