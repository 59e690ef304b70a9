// The life of one service: started, reloaded, stopped, failed and restarted. The lifecycle table holds the transitions.
import { Histogram } from '../../protocol/cell/histogram.ts';
import { HostError } from '../../protocol/errors.ts';
import type { Isolation } from '../../protocol/manifest.ts';
import type { CellEnd } from '../cells/cell.ts';
import { blueprint } from '../dispatch/blueprint.ts';
import { Escalation } from '../dispatch/escalation.ts';
import { locateMs, makeWay, parted } from './hand-over.ts';
import { Incarnation } from '../dispatch/incarnation.ts';
import type { Intake } from './intake.ts';
import type { Journal } from './journal.ts';
import { dispatches } from './lifecycle.ts';
import type { Outcomes } from './outcomes.ts';
import { Presence } from './presence.ts';
import { quiesce, stopTimes } from './quiesce.ts';
import type { QueuedEvent } from '../dispatch/queued-event.ts';
import type { ServicePlan } from '../dispatch/service-plan.ts';
import type { ServiceDeps } from './service-deps.ts';
import { ServiceState } from './service-state.ts';

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

export interface StopOptions {
  readonly now: boolean;
  /** Bounds the whole stop where the daemon has less time than the service. */
  readonly withinMs?: number;
}

export class ServiceLife {
  #plan: ServicePlan;
  readonly #deps: LifeDeps;
  readonly state: ServiceState;
  readonly #handleTimes = new Histogram();
  #incarnations = 0;
  #live: Incarnation | undefined;
  /** Running beside the live one, about to take over. */
  #next: Incarnation | undefined;
  /** Runs, and waits for the old one to stand still: from here on the hand-over is short and is not cut. */
  #handingOver = false;
  readonly #presence = new Presence();
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #reloading: Promise<void> | undefined;
  #unkillable = 0;
  readonly #escalation = new Escalation();

  constructor(plan: ServicePlan, deps: LifeDeps) {
    this.#plan = plan;
    this.#deps = deps;
    this.state = new ServiceState(plan.section.restart, { pluginId: plan.plugin.id, clock: deps.clock, random: deps.random, journal: deps.journal, intake: deps.intake, comeBack: () => this.#comeBack() });
  }

  get plan(): ServicePlan {
    return this.#escalation.of(this.#plan);
  }

  /** The one that lives, or else the newest there was. */
  get incarnation(): number {
    return this.#live?.number ?? this.#incarnations;
  }

  /** Of the cell there is; only the next one may be another kind. */
  get isolation(): Isolation {
    return this.#live?.isolation ?? this.plan.plugin.manifest.isolation;
  }

  get live(): Incarnation | undefined {
    return this.#live;
  }

  /** Cells that were given up and may still exist. */
  get unkillable(): number {
    return this.#unkillable;
  }

  /** Of every incarnation there was. */
  handleTimes(): Histogram {
    const all = new Histogram();
    all.add(this.#handleTimes);
    if (this.#live !== undefined) all.add(this.#live.handleTimes);
    return all;
  }

  // What is asked of it.

  /** Resolves once the service runs; rejects with what its start ended in. */
  async start(): Promise<void> {
    if (this.state.lifecycle === 'running') return;
    if (this.#starting !== undefined) return this.#starting;
    if (this.#stopping !== undefined || !this.state.can('start')) throw this.state.refusal(this.#stopping !== undefined);
    this.state.supervisor.reset();
    return this.#begin('start');
  }

  /** Resolves when the service is stopped, also when it was; rejects when its cell had to be ended for it. */
  async stop(options: StopOptions): Promise<void> {
    if (this.#stopping !== undefined) {
      if (options.now) this.#deps.intake.discardQueued('service_stopped');
      return this.#stopping;
    }
    if (this.state.lifecycle === 'ready' || this.state.lifecycle === 'stopped') return;
    if (!this.#handingOver) this.#next?.kill('the service stops');
    const stopping = this.#reloading === undefined ? this.#bringDown(options) : this.#afterReload(() => this.#bringDown(options));
    return (this.#stopping = stopping.finally(() => (this.#stopping = undefined)));
  }

  async restart(): Promise<void> {
    if (this.#stopping !== undefined || this.state.lifecycle === 'running' || this.state.lifecycle === 'starting') {
      try {
        await this.stop({ now: false });
      } catch {
        // A stop that failed is told in the journal and leaves a failed service, which may be started again.
      }
    }
    this.#deps.intake.ledger.restarted();
    await this.start();
  }

  /** Another plan: a running service is handed over between two events, any other has it at its next start. */
  async reload(plan: ServicePlan): Promise<void> {
    if (this.#reloading !== undefined || this.state.lifecycle === 'starting' || this.state.lifecycle === 'stopping') {
      throw new HostError('service_unavailable', `The service of ${plan.plugin.id} cannot be reloaded now: it is ${this.#reloading === undefined ? this.state.lifecycle : 'being reloaded'}.`, { lifecycle: this.state.lifecycle });
    }
    if (this.state.lifecycle !== 'running') return this.#adopt(plan);
    this.#reloading = this.#handOver(plan).finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  /** Ends its cells now, whatever they are doing: the last resort of a shutdown. */
  end(): void {
    this.#deps.intake.discardQueued('service_stopped');
    this.#presence.kill('the daemon ends');
  }

  // Bringing up.

  #begin(cause: 'start' | 'restart'): Promise<void> {
    this.#starting = this.#bringUp(cause).finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** The supervisor's timer came: whoever asked for this start is nobody, so its error is told in the journal alone. */
  #comeBack(): void {
    if (!this.state.can('restart')) return;
    this.#deps.intake.ledger.restarted();
    this.#begin('restart').catch(() => {});
  }

  async #bringUp(cause: 'start' | 'restart'): Promise<void> {
    this.state.move(cause, this.#incarnations);
    let live: Incarnation | undefined;
    try {
      // Its cell comes up while the old one is going; its plugin is not loaded before that is gone.
      live = this.#spawn(this.#plan);
      if (this.#live !== undefined) await parted(this.#live);
      if (this.state.lifecycle !== 'starting') throw this.state.refusal();
      this.#live = live;
      await live.start();
    } catch (thrown) {
      live?.kill('the start failed');
      if (this.state.lifecycle !== 'starting') throw this.state.refusal();
      this.#deps.journal.failure(thrown as HostError, this.#incarnations);
      this.state.fail('start_failed', this.#incarnations, (thrown as HostError).details['inFiles'] === true);
      throw thrown;
    }
    if (this.state.lifecycle !== 'starting') throw this.state.refusal();
    this.#run(live, 'started');
  }

  #run(live: Incarnation, cause: 'started' | 'reloaded'): void {
    this.#live = live;
    this.state.markRunning();
    if (cause === 'started') this.state.move(cause, this.#incarnations);
    live.lane.pump();
    this.#deps.began();
  }

  // Bringing down.

  async #bringDown({ now, withinMs = Infinity }: StopOptions): Promise<void> {
    const wasRunning = this.state.lifecycle === 'running';
    this.state.supervisor.cancel();
    this.state.move('stop', this.#incarnations);
    if (now) this.#presence.hurry('the service stops');
    if (this.state.lifecycle === 'stopped') {
      this.#deps.intake.discardQueued('service_stopped');
      await this.#presence.gone();
      return;
    }
    if (now || !wasRunning) this.#deps.intake.discardQueued('service_stopped');
    const live = this.#live;
    const error = wasRunning && live !== undefined ? await quiesce(live, this.#deps.intake, this.#deps.journal, stopTimes(this.#plan.section.timeouts.stopMs, withinMs), this.#deps.redact) : undefined;
    if (error === undefined) live?.end();
    else live?.kill('the service stops');
    await this.#presence.gone();
    this.#deps.intake.discardQueued('service_stopped');
    // The cell may have ended by itself meanwhile; that end has been told, and the service has failed.
    if (this.state.lifecycle !== 'stopping') throw new HostError('cell_crashed', 'The cell ended by itself while the service stopped.', { lastFailure: this.#deps.journal.lastFailure });
    if (error === undefined) {
      this.state.move('stopped', this.#incarnations);
      return;
    }
    this.#deps.journal.failure(error, this.#incarnations);
    this.state.move('stop_failed', this.#incarnations);
    throw error;
  }

  // Handing over.

  /** What is left of it is short: a new incarnation that was still starting has been ended. */
  async #afterReload(act: () => Promise<void>): Promise<void> {
    try {
      await this.#reloading;
    } catch {
      // Whoever asked for the reload is told.
    }
    await act();
  }

  /** The new incarnation starts beside the old one; only when it runs does the old one stop between two events. */
  async #handOver(plan: ServicePlan): Promise<void> {
    const next = this.#spawn(plan);
    this.#next = next;
    try {
      await next.start();
    } catch (thrown) {
      next.kill('the new incarnation did not start');
      this.#keepOld(thrown as HostError, next);
      throw thrown;
    }
    this.#handingOver = true;
    const old = this.#live;
    if (old !== undefined) await makeWay(old);
    this.#handingOver = false;
    this.#next = undefined;
    this.#deps.intake.queue.giveBack(old?.takeRemains().untouched ?? []);
    if (next.over) {
      // What was halted cannot go on: the old plan comes back in a new cell.
      old?.end();
      this.#live = undefined;
      this.state.fail('cell_ended', next.number);
      throw new HostError('cell_crashed', 'The new incarnation ended before it could take over.', { lastFailure: this.#deps.journal.lastFailure });
    }
    this.#adopt(plan);
    this.#deps.journal.note('info', 'reloaded', `Incarnation ${String(next.number)} took over${old === undefined ? '' : ` from ${String(old.number)}`}.`, next.number);
    this.#run(next, 'reloaded');
    if (old !== undefined) this.#presence.leave(old, this.#plan.section.timeouts.stopMs);
  }

  #keepOld(why: HostError, next: Incarnation): void {
    this.#next = undefined;
    const goesOn = this.#live !== undefined && !this.#live.condemned;
    this.#deps.journal.note('warn', 'reload_failed', `The new incarnation did not start${goesOn ? ', and the old one goes on' : ''}: ${why.message}`, next.number);
    // The old one died meanwhile, or is about to, and was left to the new one.
    if (!goesOn) this.state.fail('cell_ended', next.number);
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
        overran: (event, ranMs) => spawned.settling(this.#overran(spawned, event, ranMs)),
        stalled: (idleMs) => this.#stalled(spawned, idleMs),
        mayGoOn: () => this.#deps.mayGoOn(),
        othersWait: () => this.#deps.othersWait(),
        ended: (end) => this.#cellEnded(spawned, end),
        log: (message) => cellLog.log(message, spawned.number),
        logDropped: (message) => cellLog.logDropped(message, spawned.number),
        unkillable: () => this.#gaveUpCell(spawned),
        lowered: () => this.#deps.journal.note('info', 'lowered', 'The thread has computed for long without a rest and has a lower priority until it ends, so that the others can go on.', spawned.number),
      },
    });
    this.#presence.add(spawned);
    return spawned;
  }

  async #overran(live: Incarnation, event: QueuedEvent, ranMs: number): Promise<void> {
    const where = await live.locate(locateMs);
    const error = this.#deps.outcomes.timeoutError(event, ranMs, live.handleMs, where);
    live.lane.settleClaimed(this.#deps.outcomes.timedOut(event, error, live.number));
    this.#giveUp(live, error);
  }

  #stalled(live: Incarnation, idleMs: number): void {
    const error = new HostError('cell_crashed', `The cell began no event for ${String(Math.round(idleMs))} ms although it had some: something outside the handler holds its thread.`, { reason: 'stalled' });
    this.#deps.journal.failure(error, live.number);
    this.#giveUp(live, error);
  }

  /** Callers are answered first; nobody waits for the cell to be gone. */
  #giveUp(live: Incarnation, why: HostError): void {
    const toldMs = this.#deps.clock.monotonicMs();
    live.kill(why.message);
    // Claimed or sealed, it can neither begin nor settle anything more: what it had can be decided about at once.
    this.#deps.intake.queue.giveBack(live.takeRemains().untouched);
    void live.ended.then(() => {
      const tookMs = Math.round(this.#deps.clock.monotonicMs() - toldMs);
      this.#deps.journal.note('info', 'killed', `The cell was gone ${String(tookMs)} ms after it had been told to end.`, live.number, { tookMs });
    });
    if (this.#live === live && this.#next === undefined && this.state.can('cell_overran')) this.state.fail('cell_overran', this.#incarnations);
  }

  #cellEnded(live: Incarnation, end: CellEnd): void {
    this.#escalate(end.reason, live.number);
    this.#presence.remove(live);
    const { blamed, untouched } = live.takeRemains();
    this.#handleTimes.add(live.handleTimes);
    const again = blamed === undefined ? undefined : this.#blame(blamed, end, live);
    this.#deps.intake.queue.giveBack(again === undefined ? untouched : [again, ...untouched]);
    // Nobody else tells of it: it was not to be the live one before it had taken over.
    if (this.#next === live && end.reason !== 'killed') this.#deps.journal.failure(this.#deps.outcomes.crashError(end, false), live.number);
    if (this.#live === live) {
      const byItself = end.reason !== 'killed' && dispatches(this.state.lifecycle);
      if (byItself && blamed === undefined) this.#deps.journal.failure(this.#deps.outcomes.crashError(end, false), live.number);
      this.#live = undefined;
      if (byItself && this.#next === undefined) this.state.fail('cell_ended', this.#incarnations);
    }
    if (this.state.lifecycle === 'stopped') this.#deps.intake.discardQueued('service_stopped');
    else if (!this.state.acceptsEvents) this.#deps.intake.refuseWaiting();
  }

  #blame(event: QueuedEvent, end: CellEnd, live: Incarnation): QueuedEvent | undefined {
    if (end.reason !== 'killed' || this.state.lifecycle !== 'stopping') return this.#deps.outcomes.crashed(event, end, live.number);
    this.#deps.outcomes.cutOff(event);
    return undefined;
  }

  #escalate(reason: string, incarnation: number): void {
    if (!this.#escalation.consider(this.#plan, reason)) return;
    this.#deps.journal.note('warn', 'escalated', `From its next start on the service runs in a process cell: its thread's end (${reason}) is one that threads cannot hold.`, incarnation, { reason });
  }

  #gaveUpCell(live: Incarnation): void {
    this.#unkillable += 1;
    this.#escalate('unkillable', live.number);
    this.#deps.journal.note('warn', 'unkillable', 'A thread did not end within its bound: it sits in native code and was given up.', live.number);
  }
}
