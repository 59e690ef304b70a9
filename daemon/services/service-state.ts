// The state a service is in, and the only way to another: by the lifecycle table. Whoever fails it hears at once
// whether it comes back, for the supervisor is asked in the same breath.
import { HostError } from '../../protocol/errors.ts';
import type { Lifecycle } from '../../protocol/status.ts';
import type { Clock } from '../time/clock.ts';
import type { Intake } from './intake.ts';
import type { Journal } from './journal.ts';
import { type LifecycleCause, acceptsEvents, dispatches, nextState } from './lifecycle.ts';
import type { RestartOptions } from './restart-policy.ts';
import type { StopOptions, StopOrder } from './stop-order.ts';
import { Supervisor, type Verdict } from './supervisor.ts';

export interface StateDeps {
  readonly pluginId: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly journal: Journal;
  readonly intake: Intake;
  /** The supervisor's time has come. */
  comeBack(): void;
}

export type Failure = 'start_failed' | 'cell_ended' | 'cell_overran';

export class ServiceState {
  readonly supervisor: Supervisor;
  readonly #deps: StateDeps;
  #lifecycle: Lifecycle = 'ready';
  #running: { readonly sinceWallMs: number; readonly sinceMs: number } | undefined;
  /** When what is to be brought back had failed. */
  #failedMs: number | undefined;
  #incarnation = 0;
  #retired = false;
  #order: StopOrder | undefined;

  constructor(restart: RestartOptions, deps: StateDeps) {
    this.#deps = deps;
    this.supervisor = new Supervisor(restart, { clock: deps.clock, random: deps.random, restart: () => deps.comeBack() });
  }

  get lifecycle(): Lifecycle {
    return this.#lifecycle;
  }

  get startedMs(): number | undefined {
    return this.#running?.sinceWallMs;
  }

  get acceptsEvents(): boolean {
    return acceptsEvents(this.#lifecycle, this.comesBack);
  }

  /** It starts again without being asked to. */
  get comesBack(): boolean {
    return !this.#retired && (this.supervisor.pending || this.#order?.comesBack === true);
  }

  /** The stop or restart that is being carried out. */
  get order(): StopOrder | undefined {
    return this.#order;
  }

  /** With a restart, the service queues what arrives while it stops. */
  give(order: StopOrder | undefined): void {
    this.#order = order;
    this.#tellIntake();
  }

  /** Another stop came while one is carried out. */
  join(options: StopOptions): void {
    this.#order?.join(options);
    this.#tellIntake();
  }

  can(cause: LifecycleCause): boolean {
    return !(this.#retired && (cause === 'start' || cause === 'restart')) && nextState(this.#lifecycle, cause) !== undefined;
  }

  /** From here on it can only stop. */
  retire(): void {
    this.#retired = true;
    this.#tellIntake();
  }

  move(cause: LifecycleCause, incarnation: number): void {
    const from = this.#lifecycle;
    const to = nextState(from, cause);
    if (to === undefined) throw new HostError('internal', `The lifecycle has no way from ${from} by ${cause}.`);
    this.#lifecycle = to;
    this.#incarnation = incarnation;
    if (!dispatches(to)) this.#running = undefined;
    this.#deps.journal.transition(from, to, cause, incarnation);
    if (cause === 'started') this.#tellReturn(incarnation);
    if (cause === 'stop') this.#failedMs = undefined;
    this.#tellIntake();
  }

  #tellReturn(incarnation: number): void {
    if (this.#failedMs === undefined) return;
    const tookMs = Math.round(this.#deps.clock.monotonicMs() - this.#failedMs);
    this.#failedMs = undefined;
    this.#deps.journal.note('info', 'restarted', `Incarnation ${String(incarnation)} runs, ${String(tookMs)} ms after the failure.`, incarnation, { tookMs });
  }

  /** The incarnation that lives, or lived last. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /** Another incarnation is started without another state. */
  startsAgain(incarnation: number): void {
    this.#incarnation = incarnation;
    this.#tellIntake();
  }

  /** An incarnation runs from now on. */
  markRunning(incarnation: number): void {
    this.#incarnation = incarnation;
    this.#running = { sinceWallMs: this.#deps.clock.wallMs(), sinceMs: this.#deps.clock.monotonicMs() };
    this.#tellIntake();
  }

  /** Whether the service comes back after a failure that is about to be told with `fail`. `inFiles`: the fault lies in the
   * plugin's files, so that another try without a change of them is in vain. */
  judge(inFiles = false): Verdict {
    if (this.#retired) return { kind: 'give_up', reason: 'its plugin is going away' };
    if (inFiles) return this.supervisor.giveUp('the fault lies in the plugin\'s files, and another start would end in the same way');
    return this.supervisor.failed(this.#running === undefined ? 0 : this.#deps.clock.monotonicMs() - this.#running.sinceMs);
  }

  fail(cause: Failure, incarnation: number, verdict: Verdict = this.judge(), inFiles = false): void {
    const { clock, journal, intake, pluginId } = this.#deps;
    this.move(cause, incarnation);
    this.#failedMs ??= clock.monotonicMs();
    if (verdict.kind === 'restart') {
      const { delayMs, attempt } = verdict;
      journal.note('info', 'restart_pending', `Restarts in ${String(delayMs)} ms (attempt ${String(attempt)}).`, incarnation, { delayMs, attempt });
      return;
    }
    const remedy = inFiles ? `Correct them, then run nagaya reload ${pluginId}.` : `Start it again with nagaya start ${pluginId}.`;
    if (!this.#retired) journal.note('error', 'gave_up', `The supervisor gave up: ${verdict.reason}. ${remedy}`, incarnation, { reason: verdict.reason });
    intake.refuseWaiting('service_failed');
  }

  #tellIntake(): void {
    this.#deps.intake.become({
      lifecycle: this.#lifecycle,
      accepts: this.acceptsEvents,
      dispatches: dispatches(this.#lifecycle),
      gaveUp: this.supervisor.gaveUp,
      incarnation: this.#incarnation,
    });
  }

  /** `stopping`: also a failed one may still be on its way down. */
  refusal(stopping = false): HostError {
    const id = this.#deps.pluginId;
    const details = { plugin: id, lifecycle: this.#lifecycle };
    if (stopping || this.#lifecycle === 'stopped' || this.#lifecycle === 'stopping') return new HostError('service_stopped', `The service of ${id} was stopped meanwhile.`, details);
    return new HostError('service_unavailable', `The service of ${id} cannot be started now: it is ${this.#retired ? 'going away' : this.#lifecycle}.`, details);
  }
}
