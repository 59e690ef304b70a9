// The state a service is in, with what belongs to that state alone, and the only way to another: by the lifecycle
// table. Each change is told to the journal and pushed into admission.
import { HostError } from '../../protocol/errors.ts';
import type { Lifecycle } from '../../protocol/status.ts';
import type { Incarnation } from '../dispatch/incarnation.ts';
import type { ServicePlan } from '../dispatch/service-plan.ts';
import type { Clock } from '../time/clock.ts';
import type { Intake } from './intake.ts';
import type { Journal } from './journal.ts';
import { type LifecycleCause, acceptsEvents, lifecycleOf, nextPhase } from './lifecycle.ts';
import type { RestartOptions } from './restart-policy.ts';
import type { KeptEvents, StopOptions, StopOrder } from './stop-order.ts';
import { Supervisor, type Verdict } from './supervisor.ts';

/** When an incarnation began to run. */
export interface RunningSince {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export interface Starting {
  readonly phase: 'starting';
  /** Set as soon as the start is under way. */
  start: Promise<void> | undefined;
  /** The restart that this start belongs to. */
  restart: Promise<KeptEvents> | undefined;
  /** What is started again if a reload's new code does not start. */
  former: ServicePlan | undefined;
  /** When what is brought back had failed. */
  readonly failedMs: number | undefined;
}

export interface Running {
  readonly phase: 'running';
  readonly since: RunningSince;
}

export interface Reloading {
  readonly phase: 'reloading' | 'handingOver';
  readonly since: RunningSince;
  /** The incarnation that is to take over. Another one if the state was changed while its start wrote to it. */
  next: Incarnation;
  /** Set as soon as the reload is under way. */
  reload: Promise<KeptEvents> | undefined;
}

export interface GoingDown {
  readonly phase: 'restarting' | 'stopping';
  /** Undefined where nothing ran when the order came. */
  readonly since: RunningSince | undefined;
  readonly order: StopOrder;
}

export interface Failed {
  readonly phase: 'failed';
  readonly verdict: Verdict;
  readonly failedMs: number;
}

export type State = { readonly phase: 'ready' | 'stopped' } | Starting | Running | Reloading | GoingDown | Failed;

export interface StateDeps {
  readonly pluginId: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly journal: Journal;
  readonly intake: Intake;
  /** The supervisor's time has come. */
  comeBack(): void;
}

/** What is known of why a service fails. */
export interface Fault {
  /** It lies in the plugin's files, so that another try without a change of them cannot succeed. */
  readonly inFiles?: boolean;
  /** The store does not work: it is no fault of the service's. */
  readonly outage?: boolean;
}

export const isStoreOutage = ({ code }: HostError): boolean => code === 'storage_full' || code === 'storage_failed';

export type Failure = 'start_failed' | 'cell_ended' | 'cell_overran';

const goingAway: Verdict = { kind: 'give_up', reason: 'its plugin is going away' };

export class ServiceState {
  readonly supervisor: Supervisor;
  readonly #deps: StateDeps;
  #current: State = { phase: 'ready' };
  /** The incarnation that lives, or lived last. */
  #incarnation = 0;
  #retired = false;

  constructor(restart: RestartOptions, deps: StateDeps) {
    this.#deps = deps;
    this.supervisor = new Supervisor(restart, {
      clock: deps.clock,
      random: deps.random,
      restart: () => deps.comeBack(),
    });
  }

  get current(): State {
    return this.#current;
  }

  get lifecycle(): Lifecycle {
    return lifecycleOf(this.#current.phase);
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  /** Undefined where nothing runs. */
  get since(): RunningSince | undefined {
    return 'since' in this.#current ? this.#current.since : undefined;
  }

  get acceptsEvents(): boolean {
    return acceptsEvents(this.#current.phase, this.comesBack);
  }

  /** It starts again without being asked to. */
  get comesBack(): boolean {
    return (
      this.#current.phase === 'restarting' ||
      (this.#current.phase === 'failed' && this.#current.verdict.kind === 'restart')
    );
  }

  /** The stop or restart that is being carried out. */
  get order(): StopOrder | undefined {
    return 'order' in this.#current ? this.#current.order : undefined;
  }

  can(cause: LifecycleCause): boolean {
    return (
      !(this.#retired && (cause === 'start' || cause === 'restart')) &&
      nextPhase(this.#current.phase, cause) !== undefined
    );
  }

  move(cause: LifecycleCause, next: State, incarnation = this.#incarnation): void {
    const before = this.#current;
    if (nextPhase(before.phase, cause) !== next.phase)
      throw new HostError('internal', `The lifecycle has no way from ${before.phase} to ${next.phase} by ${cause}.`);
    this.#current = next;
    this.#incarnation = incarnation;
    const [from, to] = [lifecycleOf(before.phase), lifecycleOf(next.phase)];
    if (from !== to) this.#deps.journal.transition(from, to, cause, incarnation);
    if (cause === 'started' && before.phase === 'starting' && before.failedMs !== undefined)
      this.#tellReturn(before.failedMs);
    this.#tellIntake();
  }

  /** Another incarnation is started, or has taken over, in the same phase. */
  continuesWith(incarnation: number): void {
    this.#incarnation = incarnation;
    this.#tellIntake();
  }

  /** Another stop came while an order is carried out. */
  join({ order, since, phase }: GoingDown, options: StopOptions): void {
    order.join(options);
    if (phase === 'restarting') this.move('stop', { phase: 'stopping', since, order });
  }

  /** From here on it can only stop. */
  retire(): void {
    this.#retired = true;
    const current = this.#current;
    if (current.phase === 'restarting') {
      this.join(current, { now: false, discard: false });
    } else if (current.phase === 'failed') {
      this.supervisor.cancel();
      this.#current = { ...current, verdict: goingAway };
      this.#tellIntake();
    }
  }

  runningSince(): RunningSince {
    return { wallMs: this.#deps.clock.wallMs(), monotonicMs: this.#deps.clock.monotonicMs() };
  }

  /**
   * Whether the service comes back after a failure that is about to be told with `fail`.
   */
  judge({ inFiles = false, outage = false }: Fault = {}): Verdict {
    if (this.#retired) return goingAway;
    if (inFiles)
      return this.supervisor.giveUp(
        "the fault lies in the plugin's files, and another start would end in the same way",
      );
    return this.supervisor.failed(
      this.since === undefined ? 0 : this.#deps.clock.monotonicMs() - this.since.monotonicMs,
      outage,
    );
  }

  fail(cause: Failure, incarnation: number, verdict: Verdict = this.judge(), inFiles = false): void {
    const { clock, journal, intake, pluginId } = this.#deps;
    const before = this.#current;
    const failedMs = (before.phase === 'starting' ? before.failedMs : undefined) ?? clock.monotonicMs();
    this.move(cause, { phase: 'failed', verdict, failedMs }, incarnation);
    if (verdict.kind === 'restart') {
      const { delayMs, attempt } = verdict;
      journal.note(
        'info',
        'restart_pending',
        `Restarts in ${String(delayMs)} ms (attempt ${String(attempt)}).`,
        incarnation,
        { delayMs, attempt },
      );
      return;
    }
    const remedy = inFiles
      ? `Correct them, then run nagaya reload ${pluginId}.`
      : `Start it again with nagaya start ${pluginId}.`;
    if (!this.#retired)
      journal.note('error', 'gave_up', `The supervisor gave up: ${verdict.reason}. ${remedy}`, incarnation, {
        reason: verdict.reason,
      });
    intake.refuseWaiting('service_failed');
  }

  refusal(): HostError {
    const id = this.#deps.pluginId;
    const { lifecycle } = this;
    const details = { plugin: id, lifecycle };
    if (lifecycle === 'stopped' || lifecycle === 'stopping')
      return new HostError('service_stopped', `The service of ${id} was stopped meanwhile.`, details);
    return new HostError(
      'service_unavailable',
      `The service of ${id} cannot be started now: it is ${this.#retired ? 'going away' : lifecycle}.`,
      details,
    );
  }

  #tellReturn(failedMs: number): void {
    const tookMs = Math.round(this.#deps.clock.monotonicMs() - failedMs);
    this.#deps.journal.note(
      'info',
      'restarted',
      `Incarnation ${String(this.#incarnation)} runs, ${String(tookMs)} ms after the failure.`,
      this.#incarnation,
      { tookMs },
    );
  }

  #tellIntake(): void {
    const current = this.#current;
    this.#deps.intake.become({
      lifecycle: this.lifecycle,
      accepts: this.acceptsEvents,
      dispatches: this.since !== undefined,
      gaveUp: current.phase === 'failed' && current.verdict.kind === 'give_up' ? current.verdict.reason : undefined,
      incarnation: this.#incarnation,
    });
  }
}
