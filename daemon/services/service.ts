// One plugin's service on the host: its lifecycle, its queue and its present incarnation. It decides; the cell runs.
import { Histogram } from '../../protocol/cell/histogram.ts';
import { HostError, type WireError, asHostError } from '../../protocol/errors.ts';
import type { ServiceSection } from '../../protocol/manifest.ts';
import type { Lifecycle, ServiceStatus } from '../../protocol/status.ts';
import type { CellEnd } from '../cells/cell.ts';
import type { Clock } from '../clock.ts';
import { blueprint } from './blueprint.ts';
import { Incarnation } from './incarnation.ts';
import { Intake, type Situation } from './intake.ts';
import { Journal } from './journal.ts';
import { type Cause, acceptsEvents, dispatches, nextState } from './lifecycle.ts';
import { Outcomes } from './outcomes.ts';
import { quiesce } from './quiesce.ts';
import type { Handled, QueuedEvent } from './queued-event.ts';
import { Reported } from './reported.ts';
import type { ServiceDeps, ServicePlan } from './service-plan.ts';
import { serviceStatus } from './service-status.ts';
import { Supervisor } from './supervisor.ts';

export interface Accepted {
  readonly accepted: true;
  readonly correlationId: string;
  readonly queueDepth: number;
}

export interface Refused {
  readonly accepted: false;
  readonly error: WireError;
}

/** For advice to callers before the first event has told. */
const unknownEventMs = 100;
/** What finding out where a plugin is may cost whoever waits for its answer. */
const locateMs = 40;
/** Beyond its deadline, what an old cell gets to say that it stopped. */
const haltSlackMs = 500;

export class Service {
  #plan: ServicePlan;
  readonly #deps: ServiceDeps;
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #intake: Intake;
  readonly #outcomes: Outcomes;
  readonly #supervisor: Supervisor;
  readonly #handleTimes = new Histogram();
  readonly #reported: Reported;
  #lifecycle: Lifecycle = 'ready';
  #incarnations = 0;
  #live: Incarnation | undefined;
  /** Running beside the live one, about to take over. */
  #next: Incarnation | undefined;
  #running: { readonly sinceWallMs: number; readonly sinceMs: number } | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #reloading: Promise<void> | undefined;
  #unkillable = 0;
  #pumpSoon = false;
  #retired = false;

  constructor(plan: ServicePlan, deps: ServiceDeps) {
    const { clock, redact, deadLetters, limits } = deps;
    this.#plan = plan;
    this.#deps = deps;
    this.#clock = clock;
    this.#journal = new Journal(plan.plugin.id, limits.diagnostics, clock, deps.outlets);
    this.#intake = new Intake(plan.plugin.id, plan.section, limits.eventBytes, { clock, journal: this.#journal, situation: () => this.#situation() });
    this.#outcomes = new Outcomes({ intake: this.#intake, journal: this.#journal, clock, redact, deadLetters, maxAttempts: () => this.#section.retry.maxAttempts });
    this.#supervisor = new Supervisor(plan.section.restart, { clock, random: deps.random, restart: () => this.#comeBack() });
    this.#reported = new Reported(clock, redact);
  }

  get lifecycle(): Lifecycle {
    return this.#lifecycle;
  }

  get incarnation(): number {
    return this.#incarnations;
  }

  /** Cells that were given up and may still exist. */
  get unkillable(): number {
    return this.#unkillable;
  }

  get #section(): ServiceSection {
    return this.#plan.section;
  }

  // Lifecycle.

  /** Resolves once the service runs; rejects with what its start ended in. */
  async start(): Promise<void> {
    if (this.#lifecycle === 'running') return;
    if (this.#starting !== undefined) return this.#starting;
    if (this.#retired || nextState(this.#lifecycle, 'start') === undefined) throw this.#refusal();
    this.#supervisor.reset();
    return this.#begin('start');
  }

  /** Resolves when the service is stopped, also when it was; rejects when its cell had to be ended for it. */
  async stop(options: { readonly now: boolean }): Promise<void> {
    if (this.#stopping !== undefined) {
      if (options.now) this.#intake.discardQueued('service_stopped');
      return this.#stopping;
    }
    if (this.#lifecycle === 'ready' || this.#lifecycle === 'stopped') return;
    this.#supervisor.cancel();
    const { now } = options;
    this.#stopping = (this.#reloading === undefined ? this.#bringDown(now) : this.#afterReload(() => this.#bringDown(now))).finally(() => {
      this.#stopping = undefined;
    });
    return this.#stopping;
  }

  async restart(): Promise<void> {
    if (this.#lifecycle === 'running' || this.#lifecycle === 'starting' || this.#lifecycle === 'stopping') {
      try {
        await this.stop({ now: false });
      } catch {
        // A stop that failed is told in the journal and leaves a failed service, which may be started again.
      }
    }
    this.#intake.ledger.restarted();
    await this.start();
  }

  /** Another plan: a running service is handed over between two events, any other has it at its next start. */
  async reload(plan: ServicePlan): Promise<void> {
    if (this.#reloading !== undefined || this.#lifecycle === 'starting' || this.#lifecycle === 'stopping') {
      throw new HostError('service_unavailable', `The service of ${plan.plugin.id} cannot be reloaded now: it is ${this.#reloading === undefined ? this.#lifecycle : 'being reloaded'}.`, { lifecycle: this.#lifecycle });
    }
    if (this.#lifecycle !== 'running') {
      this.#adopt(plan);
      return;
    }
    this.#reloading = this.#handOver(plan).finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  /** From here on it can only stop: its plugin is being unloaded. */
  retire(): void {
    this.#retired = true;
  }

  /** Ends its cells now, whatever they are doing: the last resort of a shutdown. */
  end(): void {
    this.#intake.discardQueued('service_stopped');
    this.#live?.kill('the daemon ends');
    this.#next?.kill('the daemon ends');
  }

  // Events.

  publish(raw: unknown, replayOf?: string): Accepted {
    const event = this.#intake.accept(raw, replayOf === undefined ? {} : { replayOf });
    this.#pumpLater();
    return { accepted: true, correlationId: event.correlationId, queueDepth: this.#situation().depth };
  }

  /** As one of a batch: a refusal is its result. */
  publishOne(raw: unknown, replayOf?: string): Accepted | Refused {
    try {
      return this.publish(raw, replayOf);
    } catch (thrown) {
      return { accepted: false, error: asHostError(thrown).toWire() };
    }
  }

  deliver(raw: unknown, timeoutMs: number): Promise<Handled> {
    return new Promise((resolve, reject) => {
      const event = this.#intake.accept(raw, {
        waiter: {
          handled: (outcome) => {
            timer.cancel();
            resolve(outcome);
          },
          refused: (error) => {
            timer.cancel();
            reject(error);
          },
        },
      });
      this.#pumpLater();
      const timer = this.#clock.after(timeoutMs, () => {
        const current = this.#live?.lane.current();
        const running = current?.event.waiter === event.waiter && current?.beganMs !== undefined;
        this.#intake.giveUpWaiting(event, timeoutMs, running);
      });
    });
  }

  status(): ServiceStatus {
    return serviceStatus({
      plugin: this.#plan.plugin,
      lifecycle: this.#lifecycle,
      incarnation: this.#incarnations,
      startedMs: this.#running?.sinceWallMs,
      clock: this.#clock,
      intake: this.#intake,
      depth: this.#situation().depth,
      lane: this.#live?.lane,
      handleTimes: this.#allHandleTimes(),
      journal: this.#journal,
      usage: this.#live?.usage() ?? null,
      restart: this.#supervisor.view(),
      deadLetters: this.#deps.deadLetters.counts,
      reported: this.#reported.view(this.#incarnations),
      log: this.#deps.cellLog.counts(),
    });
  }

  /** Asks the plugin's own status(), for at most its deadline; the answer is found in `status()`. */
  async refreshReported(): Promise<void> {
    const live = this.#live;
    if (live === undefined || this.#lifecycle !== 'running' || !live.hasStatus) return;
    await this.#reported.refresh(live, this.#section.timeouts.statusMs);
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
    if (this.#retired || nextState(this.#lifecycle, 'restart') === undefined) return;
    this.#intake.ledger.restarted();
    this.#begin('restart').catch(() => {});
  }

  async #bringUp(cause: 'start' | 'restart'): Promise<void> {
    this.#move(cause);
    // The one before may still be on its way out; the kill ladder bounds this wait.
    await this.#live?.ended;
    if (this.#lifecycle !== 'starting') throw this.#refusal();
    let live: Incarnation | undefined;
    try {
      live = this.#spawn(this.#plan);
      this.#live = live;
      await live.start();
    } catch (thrown) {
      live?.kill('the start failed');
      if (this.#lifecycle !== 'starting') throw this.#refusal();
      this.#journal.failure(thrown as HostError, this.#incarnations);
      this.#fail('start_failed', 0);
      throw thrown;
    }
    if (this.#lifecycle !== 'starting') throw this.#refusal();
    this.#run(live, 'started');
  }

  #run(live: Incarnation, cause: 'started' | 'reloaded'): void {
    this.#live = live;
    this.#running = { sinceWallMs: this.#clock.wallMs(), sinceMs: this.#clock.monotonicMs() };
    if (cause === 'started') this.#move(cause);
    live.lane.pump();
    void this.refreshReported();
  }

  // Bringing down.

  async #bringDown(now: boolean): Promise<void> {
    const wasRunning = this.#lifecycle === 'running';
    this.#move('stop');
    if (this.#lifecycle === 'stopped') {
      this.#intake.discardQueued('service_stopped');
      return;
    }
    if (now || !wasRunning) this.#intake.discardQueued('service_stopped');
    const live = this.#live;
    const error = wasRunning && live !== undefined ? await quiesce(live, this.#intake, this.#journal, this.#section.timeouts.stopMs, this.#deps.redact) : undefined;
    if (error === undefined) live?.end();
    else live?.kill('the service stops');
    await live?.ended;
    this.#intake.discardQueued('service_stopped');
    // The cell may have ended by itself meanwhile; that end has been told, and the service has failed.
    if (this.#lifecycle !== 'stopping') throw new HostError('cell_crashed', 'The cell ended by itself while the service stopped.', { lastFailure: this.#journal.lastFailure });
    if (error === undefined) {
      this.#move('stopped');
      return;
    }
    this.#journal.failure(error, this.#incarnations);
    this.#move('stop_failed');
    throw error;
  }

  // Handing over.

  /** A hand-over is short and is not cut in the middle. */
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
    const old = this.#live;
    // An event that overruns meanwhile ends the old cell by its own deadline, and so hands over too.
    if (old !== undefined && !(await old.halt(old.handleMs + locateMs + haltSlackMs))) {
      old.kill('a new incarnation takes over');
      await old.ended;
    }
    this.#next = undefined;
    this.#intake.queue.giveBack(old?.takeRemains().untouched ?? []);
    this.#adopt(plan);
    if (next.over) {
      this.#live = undefined;
      this.#fail('cell_ended');
      throw new HostError('cell_crashed', 'The new incarnation ended as soon as it had taken over.', { lastFailure: this.#journal.lastFailure });
    }
    this.#journal.note('info', 'reloaded', `Incarnation ${String(next.number)} took over${old === undefined ? '' : ` from ${String(old.number)}`}.`, next.number);
    this.#run(next, 'reloaded');
    if (old !== undefined) void old.stop(this.#section.timeouts.stopMs).then(() => old.end());
  }

  #keepOld(why: HostError, next: Incarnation): void {
    this.#next = undefined;
    this.#journal.note('warn', 'reload_failed', `The new incarnation did not start${this.#live === undefined ? '' : ', and the old one goes on'}: ${why.message}`, next.number);
    // The old one died meanwhile and was left to the new one.
    if (this.#live === undefined) this.#fail('cell_ended');
  }

  #adopt(plan: ServicePlan): void {
    this.#plan = plan;
    this.#intake.replan(plan.section);
    this.#supervisor.replan(plan.section.restart);
  }

  // What a cell tells.

  #spawn(plan: ServicePlan): Incarnation {
    const { clock, spawnCell, redact, limits, cellLog } = this.#deps;
    this.#incarnations += 1;
    const spawned: Incarnation = Incarnation.spawn(blueprint(plan, this.#incarnations, limits.toolOutputBytes), {
      spawnCell,
      queue: this.#intake.queue,
      clock,
      redact,
      listener: {
        handled: (event, output) => this.#outcomes.handled(event, output),
        failed: (event, failure) => this.#outcomes.failed(event, failure, spawned.number),
        overran: (event, ranMs) => spawned.settling(this.#overran(spawned, event, ranMs)),
        stalled: (idleMs) => this.#stalled(spawned, idleMs),
        ended: (end) => this.#cellEnded(spawned, end),
        log: (message) => cellLog.log(message, spawned.number),
        logDropped: (message) => cellLog.logDropped(message, spawned.number),
        unkillable: () => this.#gaveUpCell(spawned),
      },
    });
    return spawned;
  }

  async #overran(live: Incarnation, event: QueuedEvent, ranMs: number): Promise<void> {
    const where = await live.locate(locateMs);
    const error = this.#outcomes.timeoutError(event, ranMs, live.handleMs, where);
    live.lane.settleClaimed(this.#outcomes.timedOut(event, error, live.number));
    this.#giveUp(live, error);
  }

  #stalled(live: Incarnation, idleMs: number): void {
    const error = new HostError('cell_crashed', `The cell began no event for ${String(Math.round(idleMs))} ms although it had some: something outside the handler holds its thread.`, { reason: 'stalled' });
    this.#journal.failure(error, live.number);
    live.lane.halt();
    this.#giveUp(live, error);
  }

  /** Callers are answered first; nobody waits for the cell to be gone. */
  #giveUp(live: Incarnation, why: HostError): void {
    live.kill(why.message);
    if (this.#live === live && this.#next === undefined && nextState(this.#lifecycle, 'cell_overran') !== undefined) this.#fail('cell_overran');
  }

  #cellEnded(live: Incarnation, end: CellEnd): void {
    const { blamed, untouched } = live.takeRemains();
    this.#handleTimes.add(live.handleTimes);
    const again = blamed === undefined ? undefined : this.#blame(blamed, end, live);
    this.#intake.queue.giveBack(again === undefined ? untouched : [again, ...untouched]);
    if (this.#live === live) {
      const byItself = end.reason !== 'killed' && dispatches(this.#lifecycle);
      if (byItself && blamed === undefined) this.#journal.failure(this.#outcomes.crashError(end, false), live.number);
      this.#live = undefined;
      if (byItself && this.#next === undefined) this.#fail('cell_ended');
    }
    if (this.#lifecycle === 'stopped') this.#intake.discardQueued('service_stopped');
    else if (!this.#accepts()) this.#intake.refuseWaiting();
  }

  #blame(event: QueuedEvent, end: CellEnd, live: Incarnation): QueuedEvent | undefined {
    if (end.reason !== 'killed' || this.#lifecycle !== 'stopping') return this.#outcomes.crashed(event, end, live.number);
    this.#outcomes.cutOff(event);
    return undefined;
  }

  #gaveUpCell(live: Incarnation): void {
    this.#unkillable += 1;
    this.#journal.note('warn', 'unkillable', 'A thread did not end within its bound: it sits in native code and was given up.', live.number);
  }

  // Failing, and coming back.

  #fail(cause: 'start_failed' | 'cell_ended' | 'cell_overran', ranMs = this.#running === undefined ? 0 : this.#clock.monotonicMs() - this.#running.sinceMs): void {
    const wasStopping = this.#lifecycle === 'stopping';
    this.#move(cause);
    if (wasStopping || this.#retired) return;
    const verdict = this.#supervisor.failed(ranMs);
    if (verdict.kind === 'restart') {
      this.#journal.note('info', 'restart_pending', `Restarts in ${String(verdict.delayMs)} ms (attempt ${String(verdict.attempt)}).`, this.#incarnations, { delayMs: verdict.delayMs, attempt: verdict.attempt });
      return;
    }
    this.#journal.note('error', 'gave_up', `The supervisor gave up: ${verdict.reason}. Start it again with nagaya start ${this.#plan.plugin.id}.`, this.#incarnations, { reason: verdict.reason });
    this.#intake.refuseWaiting();
  }

  #accepts(): boolean {
    return acceptsEvents(this.#lifecycle, this.#supervisor.pending);
  }

  /** The lifecycle table is the only way to another state. */
  #move(cause: Cause): void {
    const from = this.#lifecycle;
    const to = nextState(from, cause);
    if (to === undefined) throw new HostError('internal', `The lifecycle has no way from ${from} by ${cause}.`);
    this.#lifecycle = to;
    if (!dispatches(to)) this.#running = undefined;
    this.#journal.transition(from, to, cause, this.#incarnations);
  }

  #refusal(): HostError {
    const { id } = this.#plan.plugin;
    const details = { lifecycle: this.#lifecycle };
    if (this.#lifecycle === 'stopped' || this.#lifecycle === 'stopping') return new HostError('service_stopped', `The service of ${id} was stopped meanwhile.`, details);
    return new HostError('service_unavailable', `The service of ${id} cannot be started now: it is ${this.#retired ? 'being unloaded' : this.#lifecycle}.`, details);
  }

  /** In a running service the first open event is the one in flight, whether or not the cell has it yet. */
  #situation(): Situation {
    const open = this.#intake.queue.size + (this.#live?.lane.inFlight ?? 0);
    return {
      lifecycle: this.#lifecycle,
      restartPending: this.#supervisor.pending,
      gaveUp: this.#supervisor.gaveUp,
      incarnation: this.#incarnations,
      depth: dispatches(this.#lifecycle) ? Math.max(0, open - 1) : open,
      eventMs: this.#live?.lane.eventMs ?? unknownEventMs,
    };
  }

  /** Events of one turn travel in one batch. */
  #pumpLater(): void {
    if (this.#pumpSoon || this.#lifecycle !== 'running') return;
    this.#pumpSoon = true;
    this.#clock.soon(() => {
      this.#pumpSoon = false;
      if (this.#lifecycle === 'running' || this.#lifecycle === 'stopping') this.#live?.lane.pump();
    });
  }

  #allHandleTimes(): Histogram {
    const all = new Histogram();
    all.add(this.#handleTimes);
    if (this.#live !== undefined) all.add(this.#live.handleTimes);
    return all;
  }
}
