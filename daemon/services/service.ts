// One plugin's service on the host: its lifecycle, its queue and its present incarnation. It decides; the cell runs.
import type { LogDroppedMessage, LogMessage } from '../../protocol/cell/messages.ts';
import { HostError, type WireError, asHostError } from '../../protocol/errors.ts';
import type { ServiceSection } from '../../protocol/manifest.ts';
import type { Lifecycle, ServiceStatus } from '../../protocol/status.ts';
import { Histogram } from '../../protocol/cell/histogram.ts';
import type { CellEnd, SpawnCell } from '../cells/cell.ts';
import type { Clock } from '../clock.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import type { Redact } from './cause.ts';
import { blueprint } from './blueprint.ts';
import { Incarnation } from './incarnation.ts';
import { Intake, type Situation } from './intake.ts';
import { Journal, type JournalOutlets } from './journal.ts';
import { type Cause, acceptsEvents, dispatches, nextState } from './lifecycle.ts';
import type { Handled, QueuedEvent, Waiter } from './queued-event.ts';
import { Outcomes } from './outcomes.ts';
import { quiesce } from './quiesce.ts';
import { Reported } from './reported.ts';
import { serviceStatus } from './service-status.ts';

export interface ServiceDeps {
  readonly clock: Clock;
  readonly spawnCell: SpawnCell;
  readonly env: Readonly<Record<string, string>>;
  readonly limits: { readonly eventBytes: number; readonly toolOutputBytes: number; readonly diagnostics: number };
  readonly redact: Redact;
  readonly outlets: JournalOutlets;
  readonly cellLog: {
    log(message: LogMessage, incarnation: number): void;
    logDropped(message: LogDroppedMessage, incarnation: number): void;
    counts(): ServiceStatus['log'];
  };
  readonly entryUrl: string;
}

export interface Accepted {
  readonly accepted: true;
  readonly correlationId: string;
  readonly queueDepth: number;
}

/** For advice to callers before the first event has told. */
const unknownEventMs = 100;

export class Service {
  readonly plugin: LoadedPlugin;
  readonly #section: ServiceSection;
  readonly #deps: ServiceDeps;
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #intake: Intake;
  readonly #outcomes: Outcomes;
  readonly #handleTimes = new Histogram();
  readonly #reported: Reported;
  #lifecycle: Lifecycle = 'ready';
  #incarnations = 0;
  #live: Incarnation | undefined;
  #startedMs: number | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #unkillable = 0;
  #pumpSoon = false;
  #retired = false;

  constructor(plugin: LoadedPlugin, section: ServiceSection, deps: ServiceDeps) {
    this.plugin = plugin;
    this.#section = section;
    this.#deps = deps;
    this.#clock = deps.clock;
    this.#journal = new Journal(plugin.id, deps.limits.diagnostics, deps.clock, deps.outlets);
    this.#intake = new Intake(plugin.id, section, deps.limits.eventBytes, { clock: deps.clock, journal: this.#journal, situation: () => this.#situation() });
    this.#outcomes = new Outcomes(this.#intake, deps.redact);
    this.#reported = new Reported(deps.clock, deps.redact);
  }

  get lifecycle(): Lifecycle {
    return this.#lifecycle;
  }

  /** Cells that were given up and may still exist. */
  get unkillable(): number {
    return this.#unkillable;
  }

  // Lifecycle.

  /** Resolves once the service runs; rejects with what its start ended in. */
  async start(): Promise<void> {
    if (this.#lifecycle === 'running') return;
    if (this.#starting !== undefined) return this.#starting;
    if (this.#retired || nextState(this.#lifecycle, 'start') === undefined) throw this.#refusal('start');
    this.#starting = this.#bringUp().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** Resolves when the service is stopped, also when it was; rejects when its cell had to be ended for it. */
  async stop(options: { readonly now: boolean }): Promise<void> {
    if (this.#stopping !== undefined) {
      if (options.now) this.#intake.discardQueued('service_stopped');
      return this.#stopping;
    }
    if (this.#lifecycle === 'ready' || this.#lifecycle === 'stopped') return;
    this.#stopping = this.#bringDown(options.now).finally(() => {
      this.#stopping = undefined;
    });
    return this.#stopping;
  }

  /** From here on it can only stop: its plugin is being unloaded. */
  retire(): void {
    this.#retired = true;
  }

  /** Ends the cell now, whatever it is doing: the last resort of a shutdown. */
  end(): void {
    this.#intake.discardQueued('service_stopped');
    this.#live?.kill('the daemon ends');
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

  // Events.

  publish(raw: unknown): Accepted {
    const event = this.#intake.accept(raw);
    this.#pumpLater();
    return { accepted: true, correlationId: event.correlationId, queueDepth: this.#situation().depth };
  }

  /** As one of a batch: a refusal is its result. */
  publishOne(raw: unknown): Accepted | { readonly accepted: false; readonly error: WireError } {
    try {
      return this.publish(raw);
    } catch (thrown) {
      return { accepted: false, error: asHostError(thrown).toWire() };
    }
  }

  deliver(raw: unknown, timeoutMs: number): Promise<Handled> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        handled: (outcome) => {
          timer.cancel();
          resolve(outcome);
        },
        refused: (error) => {
          timer.cancel();
          reject(error);
        },
      };
      const event = this.#intake.accept(raw, waiter);
      this.#pumpLater();
      const timer = this.#clock.after(timeoutMs, () => {
        const current = this.#live?.lane.current();
        this.#intake.giveUpWaiting(event, timeoutMs, current?.event === event && current.beganMs !== undefined);
      });
    });
  }

  status(): ServiceStatus {
    return serviceStatus({
      plugin: this.plugin,
      lifecycle: this.#lifecycle,
      incarnation: this.#incarnations,
      startedMs: this.#startedMs,
      clock: this.#clock,
      queue: this.#intake.queue,
      depth: this.#situation().depth,
      highWater: this.#intake.highWater,
      lane: this.#live?.lane,
      counters: this.#intake.ledger.counters(),
      latency: this.#intake.latency,
      handleTimes: this.#allHandleTimes(),
      journal: this.#journal,
      usage: this.#live?.usage() ?? null,
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

  // Bringing up and down.

  async #bringUp(): Promise<void> {
    this.#move('start');
    const ending = this.#live?.ended;
    // The one before may still be on its way out; the kill ladder bounds this wait.
    if (ending !== undefined) await ending;
    if (this.#lifecycle !== 'starting') throw this.#refusal('start');
    this.#incarnations += 1;
    const number = this.#incarnations;
    const overtaken = (): boolean => this.#lifecycle !== 'starting' || this.#incarnations !== number;
    let live: Incarnation;
    try {
      live = this.#spawn();
    } catch (thrown) {
      throw this.#startFailed(new HostError('start_failed', `No cell could be made: ${thrown instanceof Error ? thrown.message : 'unknown cause'}.`, { phase: 'spawn' }));
    }
    this.#live = live;
    try {
      await live.start();
    } catch (thrown) {
      live.kill('the start failed');
      if (overtaken()) throw this.#refusal('start');
      throw this.#startFailed(thrown as HostError);
    }
    if (overtaken()) throw this.#refusal('start');
    this.#startedMs = this.#clock.wallMs();
    this.#move('started');
    live.lane.pump();
    void this.refreshReported();
  }

  #startFailed(error: HostError): HostError {
    if (this.#lifecycle === 'starting') {
      this.#journal.failure(error, this.#incarnations);
      this.#move('start_failed');
      this.#intake.refuseWaiting();
    }
    return error;
  }

  async #bringDown(now: boolean): Promise<void> {
    const live = this.#live;
    const wasRunning = this.#lifecycle === 'running';
    this.#move('stop');
    if (this.#lifecycle === 'stopped') {
      this.#intake.discardQueued('service_stopped');
      return;
    }
    if (now || !wasRunning) this.#intake.discardQueued('service_stopped');
    const error = wasRunning && live !== undefined ? await quiesce(live, this.#intake, this.#journal, this.#section.timeouts.stopMs, this.#deps.redact) : undefined;
    if (error === undefined) live?.end();
    else live?.kill('the service stops');
    await live?.ended;
    this.#intake.discardQueued('service_stopped');
    // The cell may have ended by itself meanwhile; that end has been told, and the service has failed.
    if (this.#lifecycle !== 'stopping') throw new HostError('cell_crashed', 'The cell ended by itself while the service stopped.', { lastError: this.#journal.lastError });
    if (error === undefined) {
      this.#move('stopped');
      return;
    }
    this.#journal.failure(error, this.#incarnations);
    this.#move('stop_failed');
    throw error;
  }

  #spawn(): Incarnation {
    const { clock, spawnCell, redact, env, limits, entryUrl } = this.#deps;
    const options = blueprint({ plugin: this.plugin, section: this.#section, env, entryUrl, maxOutputBytes: limits.toolOutputBytes }, this.#incarnations);
    const spawned: Incarnation = new Incarnation(options, {
      spawnCell,
      queue: this.#intake.queue,
      clock,
      redact,
      listener: {
        handled: (event, output) => this.#outcomes.handled(event, output),
        failed: (event, failure) => this.#outcomes.failed(event, failure, spawned.number),
        overran: (event, ranMs) => this.#overran(spawned, event, ranMs),
        stalled: (idleMs) => this.#stalled(spawned, idleMs),
        ended: (end) => this.#cellEnded(spawned, end),
        log: (message) => this.#deps.cellLog.log(message, spawned.number),
        logDropped: (message) => this.#deps.cellLog.logDropped(message, spawned.number),
        unkillable: () => this.#unkillableCell(spawned),
      },
    });
    return spawned;
  }

  // What the lane tells.

  #overran(live: Incarnation, event: QueuedEvent, ranMs: number): void {
    this.#giveUp(live, this.#outcomes.timedOut(event, ranMs, this.#section.timeouts.handleMs, live.number));
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
    if (this.#live === live) this.#move('cell_overran');
    if (!acceptsEvents(this.#lifecycle)) this.#intake.refuseWaiting();
  }

  #cellEnded(live: Incarnation, end: CellEnd): void {
    const { blamed, untouched } = live.takeRemains();
    this.#handleTimes.add(live.handleTimes);
    this.#intake.queue.giveBack(untouched);
    if (blamed !== undefined && end.reason === 'killed' && this.#lifecycle === 'stopping') this.#outcomes.cutOff(blamed);
    else if (blamed !== undefined) this.#outcomes.crashed(blamed, end, live.number);
    if (this.#live === live) this.#live = undefined;
    if (end.reason !== 'killed' && dispatches(this.#lifecycle)) {
      if (blamed === undefined) this.#journal.failure(this.#outcomes.crashError(end, false), live.number);
      this.#move('cell_ended');
    }
    if (this.#lifecycle === 'stopped') this.#intake.discardQueued('service_stopped');
    else if (!acceptsEvents(this.#lifecycle)) this.#intake.refuseWaiting();
  }

  #unkillableCell(live: Incarnation): void {
    this.#unkillable += 1;
    this.#journal.note('warn', 'unkillable', 'A thread did not end within its bound: it sits in native code and was given up.', live.number);
  }

  /** Events of one turn travel in one batch. */
  #pumpLater(): void {
    if (this.#pumpSoon || this.#lifecycle !== 'running') return;
    this.#pumpSoon = true;
    this.#clock.soon(() => {
      this.#pumpSoon = false;
      this.#live?.lane.pump();
    });
  }

  /** In a running service the first open event is the one in flight, whether or not the cell has it yet. */
  #situation(): Situation {
    const open = this.#intake.queue.size + (this.#live?.lane.inFlight ?? 0);
    return {
      lifecycle: this.#lifecycle,
      incarnation: this.#incarnations,
      depth: dispatches(this.#lifecycle) ? Math.max(0, open - 1) : open,
      eventMs: this.#live?.lane.eventMs ?? unknownEventMs,
    };
  }

  // The lifecycle table is the only way to another state.

  #move(cause: Cause): void {
    const from = this.#lifecycle;
    const to = nextState(from, cause);
    if (to === undefined) throw new HostError('internal', `The lifecycle has no way from ${from} by ${cause}.`);
    this.#lifecycle = to;
    if (to !== 'running' && to !== 'stopping') this.#startedMs = undefined;
    this.#journal.transition(from, to, cause, this.#incarnations);
  }

  #refusal(asked: 'start'): HostError {
    if (this.#lifecycle === 'stopped' || this.#lifecycle === 'stopping') return new HostError('service_stopped', `The service of ${this.plugin.id} was stopped during its ${asked}.`, { lifecycle: this.#lifecycle });
    return new HostError('service_unavailable', `The service of ${this.plugin.id} cannot ${asked} now: it is ${this.#lifecycle}.`, { lifecycle: this.#lifecycle });
  }

  #allHandleTimes(): Histogram {
    const all = new Histogram();
    all.add(this.#handleTimes);
    if (this.#live !== undefined) all.add(this.#live.handleTimes);
    return all;
  }
}
