// The life of one service: started, reloaded, stopped, failed and restarted. The lifecycle table holds the transitions.
import type { Histogram } from '../../protocol/cell/histogram.ts';
import { HostError } from '../../protocol/errors.ts';
import type { Isolation } from '../../protocol/manifest.ts';
import { sentence } from '../../protocol/plural.ts';
import { haltOrKill, waitForExit } from './hand-over.ts';
import { IncarnationEnds } from './incarnation-ends.ts';
import { Incarnations, type LifeDeps as ServiceControllerDeps } from './incarnations.ts';
import type { Incarnation } from '../dispatch/incarnation.ts';
import { LiveIncarnations } from './live-incarnations.ts';
import { quiesce } from './quiesce.ts';
import { type ServicePlan, withCodeOf } from '../dispatch/service-plan.ts';
import { withReloadAdvice } from './reload-advice.ts';
import {
  type Reloading,
  type Running,
  ServiceState,
  type Starting,
  type State,
  isStoreOutage,
} from './service-state.ts';
import { handState, keepStartChanges } from './state-hand-over.ts';
import { type BroughtDown, type KeptEvents, StopOrder, type StopOptions, type Stopped } from './stop-order.ts';

export class ServiceController {
  #plan: ServicePlan;
  readonly #deps: ServiceControllerDeps;
  readonly state: ServiceState;
  readonly #incarnations: Incarnations;
  readonly #ends: IncarnationEnds;
  readonly #presence = new LiveIncarnations();

  constructor(plan: ServicePlan, deps: ServiceControllerDeps) {
    this.#plan = plan;
    this.#deps = deps;
    this.state = new ServiceState(plan.section.restart, {
      pluginId: plan.plugin.id,
      clock: deps.clock,
      random: deps.random,
      journal: deps.journal,
      intake: deps.intake,
      comeBack: () => this.#comeBack(),
    });
    const { clock, journal, intake, outcomes, settlement } = deps;
    this.#ends = new IncarnationEnds({
      clock,
      journal,
      intake,
      outcomes,
      settlement,
      state: this.state,
      presence: this.#presence,
    });
    this.#incarnations = new Incarnations(deps, this.#presence, this.#ends);
  }

  get plan(): ServicePlan {
    return this.#incarnations.planned(this.#plan);
  }

  /** The one that lives, or else the last that did. */
  get incarnation(): number {
    return this.state.incarnation;
  }

  /** Of the cell there is; only the next one may be another kind. */
  get isolation(): Isolation {
    return this.#presence.live?.isolation ?? this.plan.plugin.manifest.isolation;
  }

  get live(): Incarnation | undefined {
    return this.#presence.live;
  }

  /** Cells that were given up and still exist. */
  get unkillable(): number {
    return this.#presence.leftBehind;
  }

  /** Messages of its cells that could not be read and were dropped. */
  get malformed(): number {
    return this.#presence.malformed;
  }

  /** Of every incarnation there was. */
  handleTimes(): Histogram {
    return this.#presence.handleTimes();
  }

  // What is asked of it.

  /** Resolves once the service runs; rejects with what its start ended in. */
  async start(): Promise<void> {
    const state = this.state.current;
    switch (state.phase) {
      case 'running':
      case 'reloading':
      case 'handingOver':
        return;
      case 'starting':
        return state.start;
      case 'restarting':
        return void (await state.order.restart);
      default:
        this.#requireStart();
        return this.#begin('start');
    }
  }

  /** Resolves when the service is stopped, also when it was. What went wrong meanwhile is in the answer. */
  async stop(options: StopOptions): Promise<Stopped> {
    const state = this.state.current;
    switch (state.phase) {
      case 'ready':
      case 'stopped':
        return {
          discarded: options.discard ? this.dropQueue('service_stopped') : 0,
          kept: this.#deps.intake.queue.size,
          error: undefined,
        };
      case 'restarting':
      case 'stopping':
        this.state.join(state, options);
        if (options.now) this.#presence.hurry('the service stops');
        return state.order.done;
      default:
        return this.#bringDown('stop', new StopOrder(options, false));
    }
  }

  /**
   * The event that is executing is finished; the queue and the callers that wait go on with the new incarnation.
   * `former` is started instead if the new code does not start.
   */
  async restart(former?: ServicePlan): Promise<KeptEvents> {
    const state = this.state.current;
    switch (state.phase) {
      case 'restarting':
      case 'stopping':
        // Behind a stop: another stop overtakes it.
        return (state.order.restart ??= this.#afterOrder(state.order));
      case 'ready':
      case 'stopped':
      case 'failed':
        return this.#startAnew();
      default: {
        if (state.phase === 'starting' && state.restart !== undefined) return state.restart;
        if (!this.state.can('restart')) throw this.state.refusal();
        const order = new StopOrder({ now: false, discard: false }, true);
        void this.#bringDown('restart', order, former);
        return (order.restart = this.#afterOrder(order));
      }
    }
  }

  /** Another plan: a running service is handed over between two events, any other has it at its next start. */
  async reload(plan: ServicePlan): Promise<KeptEvents> {
    const state = this.state.current;
    switch (state.phase) {
      case 'running':
        return plan.section.reload === 'after' ? this.#replace(plan) : this.#startBeside(plan, state);
      case 'ready':
      case 'stopped':
      case 'failed':
        this.#adopt(plan);
        return { kept: this.#deps.intake.queue.size, discarded: 0 };
      default: {
        const { lifecycle } = this.state;
        throw new HostError(
          'service_unavailable',
          `The service of ${plan.plugin.id} cannot be reloaded now: it is ${'next' in state ? 'being reloaded' : lifecycle}.`,
          { lifecycle },
        );
      }
    }
  }

  /** What events of this incarnation had changed could not be stored: they come again in another. */
  uncommitted(incarnation: number, error: HostError): void {
    const { live } = this.#presence;
    if (live?.number === incarnation && !live.over) void this.#ends.uncommitted(live, error);
    else this.#ends.takeAgain(incarnation);
  }

  /** Drops what a stopped service keeps for its next start. Returns how many events that were. */
  dropQueue(reason: 'service_stopped' | 'not_kept' | 'moved'): number {
    const { intake, journal } = this.#deps;
    const discarded = intake.discardQueued(reason);
    if (discarded > 0) journal.tally('discarded', { kept: 0, discarded }, this.incarnation);
    return discarded;
  }

  /** Ends its cells now, whatever they are doing: the last resort of a shutdown. */
  end(): void {
    this.#presence.kill('the daemon ends');
  }

  // Bringing up.

  /** What failed before does not count for an operator's own start. */
  #requireStart(): void {
    if (!this.state.can('start')) throw this.state.refusal();
    this.state.supervisor.reset();
  }

  #begin(
    cause: 'start' | 'restart' | 'stopped',
    more: Partial<Pick<Starting, 'restart' | 'former'>> = {},
  ): Promise<void> {
    const before = this.state.current;
    const failedMs = before.phase === 'failed' ? before.failedMs : undefined;
    const starting: Starting = {
      phase: 'starting',
      start: undefined,
      restart: more.restart,
      former: more.former,
      failedMs,
    };
    this.state.move(cause, starting, this.#incarnations.next);
    return (starting.start = this.#launch(starting));
  }

  #startAnew(): Promise<KeptEvents> {
    this.#requireStart();
    const { books, intake } = this.#deps;
    const kept = intake.queue.size;
    books.restarted();
    const restart = this.#begin('start').then(() => ({ kept, discarded: 0 }));
    if (this.state.current.phase === 'starting') this.state.current.restart = restart;
    return restart;
  }

  /** The supervisor's timer came: whoever asked for this start is nobody, so its error is told in the journal alone. */
  #comeBack(): void {
    if (!this.state.can('restart')) return;
    this.#deps.books.restarted();
    this.#begin('restart').catch(() => {});
  }

  async #launch(starting: Starting): Promise<void> {
    const { state } = this;
    let live: Incarnation | undefined;
    try {
      // Its cell comes up while the old one is going; its plugin is not loaded before that is gone.
      live = this.#incarnations.spawn(this.#plan);
      if (this.#presence.live !== undefined) await waitForExit(this.#presence.live);
      if (state.current !== starting) throw state.refusal();
      this.#presence.live = live;
      await live.start();
      await this.#keepCode(live);
      await keepStartChanges(live, this.#deps);
    } catch (thrown) {
      live?.kill('the start failed');
      if (state.current !== starting) throw state.refusal();
      const inFiles = (thrown as HostError).details['inFiles'] === true;
      this.#deps.journal.failure(thrown as HostError, this.incarnation);
      if (starting.former !== undefined) throw await this.#goBack(starting, starting.former, thrown as HostError);
      const verdict = state.judge({ inFiles, outage: isStoreOutage(thrown as HostError) });
      state.fail('start_failed', this.incarnation, verdict, inFiles);
      throw thrown;
    }
    if (state.current !== starting) throw state.refusal();
    state.move('started', { phase: 'running', since: state.runningSince() }, live.number);
    this.#feed(live);
  }

  /** Whoever is told that the service runs may change its files from then on. */
  async #keepCode(live: Incarnation): Promise<void> {
    if (this.#plan.section.reload !== 'after') return;
    await this.#deps.keptCode?.keep(this.#plan.plugin);
    if (live.over)
      throw new HostError('start_failed', 'The cell ended right after its start.', {
        phase: 'start',
        lastFailure: this.#deps.journal.lastFailure,
      });
  }

  #feed(live: Incarnation): void {
    this.#presence.live = live;
    this.#deps.turn.feed(live.lane);
    this.#deps.began();
  }

  // Bringing down.

  #bringDown(cause: 'stop' | 'restart', order: StopOrder, former?: ServicePlan): Promise<BroughtDown> {
    const before = this.state.current;
    this.state.supervisor.cancel();
    this.state.move(cause, { phase: cause === 'stop' ? 'stopping' : 'restarting', since: this.state.since, order });
    return (order.done = this.#carryOut(order, before, former));
  }

  /** `before`: the state in which the order came. */
  async #carryOut(order: StopOrder, before: State, former?: ServicePlan): Promise<BroughtDown> {
    const { books, intake, journal } = this.#deps;
    const discardedBefore = books.discardedFor('service_stopped');
    // A new incarnation that has not begun to take over is not wanted any more; what is left of another reload is
    // short.
    if (before.phase === 'reloading') before.next.kill(order.comesBack ? 'the service restarts' : 'the service stops');
    // Whoever asked for the reload is told what came of it.
    if ('reload' in before) await before.reload?.catch(() => undefined);
    if (order.now) this.#presence.hurry('the service stops');
    if ('since' in before && this.#presence.live !== undefined)
      await quiesce(this.#presence.live, order, this.#plan.section.timeouts.stopMs, this.#deps);
    this.#presence.live?.end();
    // A start that was under way has come to its end too: it must not take the next start for its own.
    await Promise.all([this.#presence.gone(), 'start' in before ? before.start?.catch(() => undefined) : undefined]);
    if (order.discard) intake.discardQueued('service_stopped');
    else if (!order.comesBack) intake.refuseWaiting('service_stopped');
    const events = { kept: intake.queue.size, discarded: books.discardedFor('service_stopped') - discardedBefore };
    journal.tally(order.comesBack ? 'restarted' : 'stopped', events, this.incarnation);
    return { ...events, error: order.error, ...this.#startAfter(order, former) };
  }

  /** The start begins in the same turn, so that no other request can come between. */
  #startAfter({ comesBack, restart }: StopOrder, former?: ServicePlan): { start?: Promise<void> } {
    if (!comesBack) this.state.move('stopped', { phase: 'stopped' });
    if (restart === undefined || !this.state.can(comesBack ? 'stopped' : 'start')) return {};
    this.state.supervisor.reset();
    const start = this.#begin(comesBack ? 'stopped' : 'start', { restart, former });
    start.catch(() => {}); // Whoever asked for the restart awaits it a moment later.
    return { start };
  }

  async #afterOrder(order: StopOrder): Promise<KeptEvents> {
    const { start, kept, discarded } = await order.done;
    if (start === undefined) throw this.state.refusal();
    this.#deps.books.restarted();
    await start;
    return { kept, discarded: order.comesBack ? discarded : 0 };
  }

  // Handing over.

  /** The old incarnation stops first, as in a restart, and the queue waits. */
  async #replace(plan: ServicePlan): Promise<KeptEvents> {
    const kept = await this.#deps.keptCode?.kept();
    if (this.state.current.phase !== 'running') return this.reload(plan);
    // Code is kept only of starts under this setting: of any other, the copy is older than what runs.
    const isKept = this.#plan.section.reload === 'after';
    const former = isKept && kept !== undefined ? withCodeOf(this.#plan, kept) : undefined;
    this.#adopt(plan);
    return this.restart(former);
  }

  /**
   * The lifecycle stays "starting" meanwhile, so that events and callers go on waiting. Returns what to tell of the
   * reload.
   */
  async #goBack(starting: Starting, former: ServicePlan, why: HostError): Promise<HostError> {
    starting.former = undefined;
    this.#adopt(former);
    this.state.continuesWith(this.#incarnations.next);
    await this.#launch(starting);
    this.#deps.journal.reloadFailed('The new code did not start, and the old code runs again', why, this.incarnation);
    return new HostError(
      why.code,
      `${sentence(why.message)} The old code runs again, as incarnation ${String(this.incarnation)}.`,
      why.details,
    );
  }

  /** The new incarnation starts beside the old one; only when it runs does the old one stop between two events. */
  #startBeside(plan: ServicePlan, { since }: Running): Promise<KeptEvents> {
    const reloading: Reloading = { phase: 'reloading', since, next: this.#incarnations.spawn(plan), reload: undefined };
    this.state.move('reload', reloading);
    return (reloading.reload = this.#handOver(reloading, plan));
  }

  async #handOver(reloading: Reloading, plan: ServicePlan): Promise<KeptEvents> {
    let { next } = reloading;
    const changed = this.#deps.state.watch();
    try {
      await next.start();
      if (this.state.current !== reloading) throw this.state.refusal();
    } catch (thrown) {
      this.#deps.state.unwatch(changed);
      next.kill('the new incarnation did not start');
      const advised = withReloadAdvice(thrown as HostError);
      this.#keepOld(advised, reloading);
      throw advised;
    }
    const handingOver: Reloading = { ...reloading, phase: 'handingOver' };
    this.state.move('takes_over', handingOver);
    const old = this.#presence.live;
    if (old !== undefined) await haltOrKill(old);
    this.#deps.intake.queue.giveBack(old?.takeRemains().untouched ?? []);
    next = await handState(handingOver, changed, this.#deps, () => this.#incarnations.spawn(plan));
    if (next.over) {
      // What was halted cannot go on: the old plan comes back in a new cell.
      old?.end();
      this.#presence.live = undefined;
      if (this.state.current === handingOver) this.state.fail('cell_ended', next.number);
      throw withReloadAdvice(
        new HostError('cell_crashed', 'The new incarnation ended before it could take over.', {
          lastFailure: this.#deps.journal.lastFailure,
        }),
      );
    }
    this.#adopt(plan);
    this.#deps.journal.note(
      'info',
      'reloaded',
      `Incarnation ${String(next.number)} took over${old === undefined ? '' : ` from ${String(old.number)}`}.`,
      next.number,
    );
    const events = { kept: this.#deps.intake.queue.size, discarded: 0 };
    this.#deps.journal.tally('reloaded', events, next.number);
    if (this.state.current === handingOver)
      this.state.move('reloaded', { phase: 'running', since: this.state.runningSince() }, next.number);
    else this.state.continuesWith(next.number);
    this.#feed(next);
    if (old !== undefined) this.#presence.leave(old, this.#plan.section.timeouts.stopMs);
    return events;
  }

  #keepOld(why: HostError, reloading: Reloading): void {
    const goesOn = this.#presence.live !== undefined && !this.#presence.live.condemned;
    this.#deps.journal.reloadFailed(
      `The new incarnation did not start${goesOn ? ', and the old one goes on' : ''}`,
      why,
      reloading.next.number,
    );
    if (this.state.current !== reloading) return;
    // The old one died meanwhile, or is about to, and was left to the new one.
    if (goesOn) this.state.move('reload_failed', { phase: 'running', since: reloading.since });
    else this.state.fail('cell_ended', this.incarnation);
  }

  #adopt(plan: ServicePlan): void {
    this.#plan = plan;
    this.#deps.intake.replan(plan.section);
    this.state.supervisor.replan(plan.section.restart);
  }
}
