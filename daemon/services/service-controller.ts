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
import { ServiceState } from './service-state.ts';
import { type KeptEvents, StopOrder, type StopOptions, type Stopped } from './stop-order.ts';

export class ServiceController {
  #plan: ServicePlan;
  readonly #deps: ServiceControllerDeps;
  readonly state: ServiceState;
  readonly #incarnations: Incarnations;
  /** Runs, and waits for the old one to stand still: from here on the hand-over is short and is not cut. */
  #handingOver = false;
  /** What is started again if a reload's new code does not start. */
  #former: ServicePlan | undefined;
  readonly #presence = new LiveIncarnations();
  #starting: Promise<void> | undefined;
  #stopping: Promise<Stopped> | undefined;
  #restarting: Promise<KeptEvents> | undefined;
  /** How often a stop was asked for: a restart that waits sees by it that it has been overtaken. */
  #stops = 0;
  #reloading: Promise<KeptEvents> | undefined;

  constructor(plan: ServicePlan, deps: ServiceControllerDeps) {
    this.#plan = plan;
    this.#deps = deps;
    this.state = new ServiceState(plan.section.restart, { pluginId: plan.plugin.id, clock: deps.clock, random: deps.random, journal: deps.journal, intake: deps.intake, comeBack: () => this.#comeBack() });
    const { clock, journal, intake, outcomes } = deps;
    this.#incarnations = new Incarnations(deps, this.#presence, new IncarnationEnds({ clock, journal, intake, outcomes, state: this.state, presence: this.#presence }));
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

  /** Of every incarnation there was. */
  handleTimes(): Histogram {
    return this.#presence.handleTimes();
  }

  // What is asked of it.

  /** Resolves once the service runs; rejects with what its start ended in. */
  async start(): Promise<void> {
    if (this.state.lifecycle === 'running') return;
    if (this.state.order?.comesBack === true) return void (await this.#restarting);
    if (this.#starting !== undefined) return this.#starting;
    if (this.#stopping !== undefined || !this.state.can('start')) throw this.state.refusal(this.#stopping !== undefined);
    this.state.supervisor.reset();
    return this.#begin('start');
  }

  /** Resolves when the service is stopped, also when it was. What went wrong meanwhile is in the answer. */
  async stop(options: StopOptions): Promise<Stopped> {
    this.#stops += 1;
    this.#restarting = undefined;
    if (this.#stopping !== undefined) {
      this.state.join(options);
      if (options.now) this.#presence.hurry('the service stops');
      return this.#stopping;
    }
    if (this.state.lifecycle === 'ready' || this.state.lifecycle === 'stopped') {
      return { discarded: options.discard ? this.dropQueue('service_stopped') : 0, kept: this.#deps.intake.queue.size, error: undefined };
    }
    return this.#bringDown(new StopOrder(options, false));
  }

  /** The event that is executing is finished; the queue and the callers that wait go on with the new incarnation. */
  async restart(): Promise<KeptEvents> {
    if (this.#restarting !== undefined) return this.#restarting;
    const restart = this.#restart().finally(() => {
      if (this.#restarting === restart) this.#restarting = undefined;
    });
    this.#restarting = restart;
    return restart;
  }

  /** Another plan: a running service is handed over between two events, any other has it at its next start. */
  async reload(plan: ServicePlan): Promise<KeptEvents> {
    if (this.#reloading !== undefined || this.state.lifecycle === 'starting' || this.state.lifecycle === 'stopping') {
      throw new HostError('service_unavailable', `The service of ${plan.plugin.id} cannot be reloaded now: it is ${this.#reloading === undefined ? this.state.lifecycle : 'being reloaded'}.`, { lifecycle: this.state.lifecycle });
    }
    if (this.state.lifecycle === 'running' && plan.section.reload === 'after') return this.#replace(plan);
    if (this.state.lifecycle !== 'running') {
      this.#adopt(plan);
      return { kept: this.#deps.intake.queue.size, discarded: 0 };
    }
    this.#reloading = this.#handOver(plan).finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  /** Drops what a stopped service keeps for its next start. Returns how many events that were. */
  dropQueue(reason: 'service_stopped' | 'not_kept'): number {
    const { intake, journal } = this.#deps;
    const discarded = intake.queue.size;
    intake.discardQueued(reason);
    if (discarded > 0) journal.tally('discarded', { kept: 0, discarded }, this.incarnation);
    return discarded;
  }

  /** Ends its cells now, whatever they are doing: the last resort of a shutdown. */
  end(): void {
    this.#presence.kill('the daemon ends');
  }

  // Bringing up.

  #begin(cause: 'start' | 'restart'): Promise<void> {
    return (this.#starting = this.#bringUp(cause).finally(() => (this.#starting = undefined)));
  }

  /** The supervisor's timer came: whoever asked for this start is nobody, so its error is told in the journal alone. */
  #comeBack(): void {
    if (!this.state.can('restart')) return;
    this.#deps.books.restarted();
    this.#begin('restart').catch(() => {});
  }

  async #bringUp(cause: 'start' | 'restart'): Promise<void> {
    this.state.move(cause, this.#incarnations.next);
    await this.#launch();
  }

  async #launch(): Promise<void> {
    let live: Incarnation | undefined;
    try {
      // Its cell comes up while the old one is going; its plugin is not loaded before that is gone.
      live = this.#incarnations.spawn(this.#plan);
      if (this.#presence.live !== undefined) await waitForExit(this.#presence.live);
      if (this.state.lifecycle !== 'starting') throw this.state.refusal();
      this.#presence.live = live;
      await live.start();
      await this.#keepCode(live);
    } catch (thrown) {
      live?.kill('the start failed');
      if (this.state.lifecycle !== 'starting') throw this.state.refusal();
      const inFiles = (thrown as HostError).details['inFiles'] === true;
      this.#deps.journal.failure(thrown as HostError, this.incarnation);
      if (this.#former !== undefined) throw await this.#goBack(this.#former, thrown as HostError);
      this.state.fail('start_failed', this.incarnation, this.state.judge(inFiles), inFiles);
      throw thrown;
    }
    if (this.state.lifecycle !== 'starting') throw this.state.refusal();
    this.#run(live, 'started');
  }

  /** Whoever is told that the service runs may change its files from then on. */
  async #keepCode(live: Incarnation): Promise<void> {
    if (this.#plan.section.reload !== 'after') return;
    await this.#deps.keptCode?.keep(this.#plan.plugin);
    if (live.over) throw new HostError('start_failed', 'The cell ended right after its start.', { phase: 'start', lastFailure: this.#deps.journal.lastFailure });
  }

  #run(live: Incarnation, cause: 'started' | 'reloaded'): void {
    this.#presence.live = live;
    this.state.markRunning(live.number);
    if (cause === 'started') this.state.move(cause, this.incarnation);
    this.#deps.turn.feed(live.lane);
    this.#deps.began();
  }

  // Bringing down.

  #bringDown(order: StopOrder): Promise<Stopped & { readonly start?: Promise<void> }> {
    this.state.give(order);
    // A new incarnation that has not begun to take over is not wanted any more.
    if (!this.#handingOver) this.#presence.next?.kill(order.comesBack ? 'the service restarts' : 'the service stops');
    const done = this.#reloading === undefined ? this.#carryOut(order) : this.#afterReload(() => this.#carryOut(order));
    this.#stopping = done;
    return done;
  }

  async #carryOut(order: StopOrder): Promise<Stopped & { readonly start?: Promise<void> }> {
    const { books, intake, journal } = this.#deps;
    const { stopMs } = this.#plan.section.timeouts;
    const discardedBefore = books.discardedFor('service_stopped');
    const wasRunning = this.state.lifecycle === 'running';
    this.state.supervisor.cancel();
    this.state.move('stop', this.incarnation);
    if (order.now) this.#presence.hurry('the service stops');
    if (wasRunning && this.#presence.live !== undefined) await quiesce(this.#presence.live, order, stopMs, this.#deps);
    this.#presence.live?.end();
    // A start that was under way has come to its end too: it must not take the next start for its own.
    await Promise.all([this.#presence.gone(), this.#starting?.catch(() => undefined)]);
    const cause = this.state.lifecycle === 'stopped' ? 'start' : 'restart';
    // Its plugin is going away meanwhile: the restart becomes a stop.
    if (!this.state.can(cause)) order.join({ now: false, discard: false });
    if (order.discard) intake.discardQueued('service_stopped');
    else if (!order.comesBack) intake.refuseWaiting('service_stopped');
    const events = { kept: intake.queue.size, discarded: books.discardedFor('service_stopped') - discardedBefore };
    journal.tally(order.comesBack ? 'restarted' : 'stopped', events, this.incarnation);
    this.#stopping = undefined;
    this.state.give(undefined);
    if (this.state.lifecycle === 'stopping' && !order.comesBack) this.state.move('stopped', this.incarnation);
    if (!order.comesBack) return { ...events, error: order.error };
    // The start begins in the same turn, so that no other request can come between.
    this.state.supervisor.reset();
    const start = this.#begin(cause);
    start.catch(() => {}); // Whoever asked for the restart awaits it a moment later.
    return { ...events, error: order.error, start };
  }

  async #restart(): Promise<KeptEvents> {
    const stopsBefore = this.#stops;
    // A stop that is under way comes first.
    await this.#stopping;
    if (this.#stops !== stopsBefore) throw this.state.refusal(true);
    const { books, intake } = this.#deps;
    if (this.state.lifecycle !== 'running' && this.state.lifecycle !== 'starting') {
      const kept = intake.queue.size;
      books.restarted();
      await this.start();
      return { kept, discarded: 0 };
    }
    const { start, kept, discarded } = await this.#bringDown(new StopOrder({ now: false, discard: false }, true));
    if (start === undefined) throw this.state.refusal(true);
    books.restarted();
    await start;
    return { kept, discarded };
  }

  // Handing over.

  /** What is left of it is short: a new incarnation that was still starting has been ended. */
  async #afterReload<Outcome>(act: () => Promise<Outcome>): Promise<Outcome> {
    try {
      await this.#reloading;
    } catch {
      // Whoever asked for the reload is told.
    }
    return act();
  }

  /** The old incarnation stops first, as in a restart, and the queue waits. */
  async #replace(plan: ServicePlan): Promise<KeptEvents> {
    const kept = await this.#deps.keptCode?.kept();
    if (this.state.lifecycle !== 'running') return this.reload(plan);
    // Code is kept only of starts under this setting: of any other, the copy is older than what runs.
    const isKept = this.#plan.section.reload === 'after';
    this.#former = isKept && kept !== undefined ? withCodeOf(this.#plan, kept) : undefined;
    this.#adopt(plan);
    try {
      return await this.restart();
    } finally {
      this.#former = undefined;
    }
  }

  /** The lifecycle stays "starting" meanwhile, so that events and callers go on waiting. Returns what to tell of the reload. */
  async #goBack(former: ServicePlan, why: HostError): Promise<HostError> {
    this.#former = undefined;
    this.#adopt(former);
    this.state.startsAgain(this.#incarnations.next);
    await this.#launch();
    this.#deps.journal.note('warn', 'reload_failed', `The new code did not start, and the old code runs again: ${sentence(why.message)}`, this.incarnation);
    return new HostError(why.code, `${sentence(why.message)} The old code runs again, as incarnation ${String(this.incarnation)}.`, why.details);
  }

  /** The new incarnation starts beside the old one; only when it runs does the old one stop between two events. */
  async #handOver(plan: ServicePlan): Promise<KeptEvents> {
    const next = this.#incarnations.spawn(plan);
    this.#presence.next = next;
    try {
      await next.start();
    } catch (thrown) {
      next.kill('the new incarnation did not start');
      const advised = withReloadAdvice(thrown as HostError);
      this.#keepOld(advised, next);
      throw advised;
    }
    this.#handingOver = true;
    const old = this.#presence.live;
    if (old !== undefined) await haltOrKill(old);
    this.#handingOver = false;
    this.#presence.next = undefined;
    this.#deps.intake.queue.giveBack(old?.takeRemains().untouched ?? []);
    if (next.over) {
      // What was halted cannot go on: the old plan comes back in a new cell.
      old?.end();
      this.#presence.live = undefined;
      this.state.fail('cell_ended', next.number);
      throw withReloadAdvice(new HostError('cell_crashed', 'The new incarnation ended before it could take over.', { lastFailure: this.#deps.journal.lastFailure }));
    }
    this.#adopt(plan);
    this.#deps.journal.note('info', 'reloaded', `Incarnation ${String(next.number)} took over${old === undefined ? '' : ` from ${String(old.number)}`}.`, next.number);
    const events = { kept: this.#deps.intake.queue.size, discarded: 0 };
    this.#deps.journal.tally('reloaded', events, next.number);
    this.#run(next, 'reloaded');
    if (old !== undefined) this.#presence.leave(old, this.#plan.section.timeouts.stopMs);
    return events;
  }

  #keepOld(why: HostError, next: Incarnation): void {
    this.#presence.next = undefined;
    const goesOn = this.#presence.live !== undefined && !this.#presence.live.condemned;
    this.#deps.journal.note('warn', 'reload_failed', `The new incarnation did not start${goesOn ? ', and the old one goes on' : ''}: ${sentence(why.message)}`, next.number);
    // The old one died meanwhile, or is about to, and was left to the new one.
    if (!goesOn) this.state.fail('cell_ended', this.incarnation);
  }

  #adopt(plan: ServicePlan): void {
    this.#plan = plan;
    this.#deps.intake.replan(plan.section);
    this.state.supervisor.replan(plan.section.restart);
  }
}
