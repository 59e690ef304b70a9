// The life of one service: started, reloaded, stopped, failed and restarted. The lifecycle table holds the transitions.
import type { Histogram } from '../../protocol/cell/histogram.ts';
import { HostError } from '../../protocol/errors.ts';
import type { Isolation } from '../../protocol/manifest.ts';
import type { CellEnd } from '../cells/cell.ts';
import { blueprint } from '../dispatch/blueprint.ts';
import { Escalation } from '../dispatch/escalation.ts';
import { makeWay, parted } from './hand-over.ts';
import { IncarnationEnds } from './incarnation-ends.ts';
import { Incarnation } from '../dispatch/incarnation.ts';
import type { Intake } from './intake.ts';
import type { Journal } from './journal.ts';
import type { Outcomes } from './outcomes.ts';
import { Presence } from './presence.ts';
import { quiesce } from './quiesce.ts';
import type { ServicePlan } from '../dispatch/service-plan.ts';
import type { ServiceDeps } from './service-deps.ts';
import { ServiceState } from './service-state.ts';
import { type KeptEvents, StopOrder, type StopOptions, type Stopped } from './stop-order.ts';

export interface LifeDeps extends ServiceDeps {
  readonly journal: Journal;
  readonly intake: Intake;
  readonly outcomes: Outcomes;
  /** A new incarnation runs. */
  began(): void;
  /** Whether the lane may hand over more at once. */
  mayGoOn(): boolean;
  othersWait(): boolean;
}

export class ServiceLife {
  #plan: ServicePlan;
  readonly #deps: LifeDeps;
  readonly state: ServiceState;
  /** How many were spawned; a reload that fails uses up a number too. */
  #incarnations = 0;
  /** The number of the one that lives, or lived last. */
  #number = 0;
  /** Runs, and waits for the old one to stand still: from here on the hand-over is short and is not cut. */
  #handingOver = false;
  readonly #presence = new Presence();
  readonly #ends: IncarnationEnds;
  #starting: Promise<void> | undefined;
  #stopping: Promise<Stopped> | undefined;
  #restarting: Promise<KeptEvents> | undefined;
  /** How often a stop was asked for: a restart that waits sees by it that it has been overtaken. */
  #stops = 0;
  #reloading: Promise<KeptEvents> | undefined;
  readonly #escalation = new Escalation();

  constructor(plan: ServicePlan, deps: LifeDeps) {
    this.#plan = plan;
    this.#deps = deps;
    this.state = new ServiceState(plan.section.restart, { pluginId: plan.plugin.id, clock: deps.clock, random: deps.random, journal: deps.journal, intake: deps.intake, comeBack: () => this.#comeBack() });
    this.#ends = new IncarnationEnds({ clock: deps.clock, journal: deps.journal, intake: deps.intake, outcomes: deps.outcomes, state: this.state, presence: this.#presence });
  }

  get plan(): ServicePlan {
    return this.#escalation.of(this.#plan);
  }

  /** The one that lives, or else the last that did. */
  get incarnation(): number {
    return this.#number;
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
    if (discarded > 0) journal.tally('discarded', { kept: 0, discarded }, this.#number);
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
    this.#deps.intake.ledger.restarted();
    this.#begin('restart').catch(() => {});
  }

  async #bringUp(cause: 'start' | 'restart'): Promise<void> {
    this.#number = this.#incarnations + 1;
    this.state.move(cause, this.#number);
    let live: Incarnation | undefined;
    try {
      // Its cell comes up while the old one is going; its plugin is not loaded before that is gone.
      live = this.#spawn(this.#plan);
      if (this.#presence.live !== undefined) await parted(this.#presence.live);
      if (this.state.lifecycle !== 'starting') throw this.state.refusal();
      this.#presence.live = live;
      await live.start();
    } catch (thrown) {
      live?.kill('the start failed');
      if (this.state.lifecycle !== 'starting') throw this.state.refusal();
      const inFiles = (thrown as HostError).details['inFiles'] === true;
      this.#deps.journal.failure(thrown as HostError, this.#number);
      this.state.fail('start_failed', this.#number, this.state.judge(inFiles), inFiles);
      throw thrown;
    }
    if (this.state.lifecycle !== 'starting') throw this.state.refusal();
    this.#run(live, 'started');
  }

  #run(live: Incarnation, cause: 'started' | 'reloaded'): void {
    this.#presence.live = live;
    this.#number = live.number;
    this.state.markRunning();
    if (cause === 'started') this.state.move(cause, this.#number);
    live.lane.pump();
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
    const { intake, journal } = this.#deps;
    const { stopMs } = this.#plan.section.timeouts;
    const discardedBefore = intake.discardedFor('service_stopped');
    const wasRunning = this.state.lifecycle === 'running';
    this.state.supervisor.cancel();
    this.state.move('stop', this.#number);
    if (order.now) this.#presence.hurry('the service stops');
    if (wasRunning && this.#presence.live !== undefined) await quiesce(this.#presence.live, order, stopMs, this.#deps);
    this.#presence.live?.end();
    await this.#presence.gone();
    const cause = this.state.lifecycle === 'stopped' ? 'start' : 'restart';
    // Its plugin is going away meanwhile: the restart becomes a stop.
    if (!this.state.can(cause)) order.join({ now: false, discard: false });
    if (order.discard) intake.discardQueued('service_stopped');
    else if (!order.comesBack) intake.refuseWaiting('service_stopped');
    const events = { kept: intake.queue.size, discarded: intake.discardedFor('service_stopped') - discardedBefore };
    journal.tally(order.comesBack ? 'restarted' : 'stopped', events, this.#number);
    this.#stopping = undefined;
    this.state.give(undefined);
    if (this.state.lifecycle === 'stopping' && !order.comesBack) this.state.move('stopped', this.#number);
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
    const { intake } = this.#deps;
    if (this.state.lifecycle !== 'running' && this.state.lifecycle !== 'starting') {
      const kept = intake.queue.size;
      intake.ledger.restarted();
      await this.start();
      return { kept, discarded: 0 };
    }
    const { start, kept, discarded } = await this.#bringDown(new StopOrder({ now: false, discard: false }, true));
    if (start === undefined) throw this.state.refusal(true);
    intake.ledger.restarted();
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

  /** The new incarnation starts beside the old one; only when it runs does the old one stop between two events. */
  async #handOver(plan: ServicePlan): Promise<KeptEvents> {
    const next = this.#spawn(plan);
    this.#presence.next = next;
    try {
      await next.start();
    } catch (thrown) {
      next.kill('the new incarnation did not start');
      this.#keepOld(thrown as HostError, next);
      throw thrown;
    }
    this.#handingOver = true;
    const old = this.#presence.live;
    if (old !== undefined) await makeWay(old);
    this.#handingOver = false;
    this.#presence.next = undefined;
    this.#deps.intake.queue.giveBack(old?.takeRemains().untouched ?? []);
    if (next.over) {
      // What was halted cannot go on: the old plan comes back in a new cell.
      old?.end();
      this.#presence.live = undefined;
      this.#number = next.number;
      this.state.fail('cell_ended', next.number);
      throw new HostError('cell_crashed', 'The new incarnation ended before it could take over.', { lastFailure: this.#deps.journal.lastFailure });
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
    this.#deps.journal.note('warn', 'reload_failed', `The new incarnation did not start${goesOn ? ', and the old one goes on' : ''}: ${why.message}`, next.number);
    // The old one died meanwhile, or is about to, and was left to the new one.
    if (!goesOn) this.state.fail('cell_ended', this.#number);
  }

  #adopt(plan: ServicePlan): void {
    this.#plan = plan;
    this.#deps.intake.replan(plan.section);
    this.state.supervisor.replan(plan.section.restart);
  }

  // What a cell tells.

  #spawn(plan: ServicePlan): Incarnation {
    const { clock, spawnCell, redact, limits, cellLog } = this.#deps;
    this.#incarnations += 1;
    const spawned: Incarnation = Incarnation.spawn(blueprint(this.#escalation.of(plan), this.#incarnations, limits.toolOutputBytes), {
      spawnCell,
      queue: this.#deps.intake.queue,
      clock,
      redact,
      listener: {
        handled: (event, output) => this.#deps.outcomes.handled(event, output, spawned.number),
        failed: (event, failure) => this.#deps.outcomes.failed(event, failure, spawned.number),
        interrupted: (event) => this.#ends.interrupted(spawned, event),
        overran: (event, ranMs) => spawned.settling(this.#ends.overran(spawned, event, ranMs)),
        stalled: (idleMs) => this.#ends.stalled(spawned, idleMs),
        mayGoOn: () => this.#deps.mayGoOn(),
        othersWait: () => this.#deps.othersWait(),
        ended: (end) => this.#cellEnded(spawned, end),
        log: (message) => cellLog.log(message, spawned.number),
        logDropped: (message) => cellLog.logDropped(message, spawned.number),
        unkillable: () => this.#gaveUpCell(spawned),
        leftBehindEnded: () => this.#leftBehindEnded(spawned),
        lowered: () => this.#deps.journal.note('info', 'lowered', 'The thread has computed for long without a rest and has a lower priority until it ends, so that the others can go on.', spawned.number),
      },
    });
    this.#presence.add(spawned);
    return spawned;
  }

  #cellEnded(incarnation: Incarnation, end: CellEnd): void {
    this.#escalate(end.reason, incarnation.number);
    this.#presence.remove(incarnation);
    this.#ends.ended(incarnation, end);
  }

  #escalate(reason: string, incarnation: number): void {
    if (!this.#escalation.consider(this.#plan, reason)) return;
    this.#deps.journal.note('warn', 'escalated', `From its next start on the service runs in a process cell: its thread's end (${reason}) is one that threads cannot hold.`, incarnation, { reason });
  }

  #gaveUpCell(live: Incarnation): void {
    this.#presence.leaveBehind(live);
    this.#escalate('unkillable', live.number);
    this.#deps.journal.note('warn', 'unkillable', `The cell's ${live.isolation} does not end: it sits in native code or in a call of the system. It was given up and is not waited for.`, live.number);
  }

  #leftBehindEnded(live: Incarnation): void {
    this.#presence.leftBehindEnded(live);
    this.#deps.journal.note('info', 'gone', `The ${live.isolation} that was given up has ended.`, live.number);
  }
}
