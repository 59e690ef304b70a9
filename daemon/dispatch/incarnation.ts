// One life of a service's cell: started once, fed through its lane, ended once. The service that owns it decides
// what an end means.
import type { StateChanges } from '../../protocol/cell/effects.ts';
import type { ServiceCellOptions } from '../../protocol/cell/messages.ts';
import { HostError } from '../../protocol/errors.ts';
import type { Isolation } from '../../protocol/manifest.ts';
import type { CallOutcome, Cell, CellEnd, CellListener, CellSpec, SpawnCell } from '../cells/cell.ts';
import { liesInFiles } from '../isolates/import-place.ts';
import { locateMs } from '../isolates/stack-capture.ts';
import { type Whereabouts, whereText } from '../isolates/whereabouts.ts';
import { lossAccount } from '../files/loss-account.ts';
import type { Clock } from '../time/clock.ts';
import { failpoint } from '../files/failpoints.ts';
import { type Redact, causeOf, causeText } from './plugin-error.ts';
import type { IngressQueue } from './ingress-queue.ts';
import { Lane } from './lane.ts';
import type { LaneListener, LaneOptions, LaneRemains } from './lane-contract.ts';
import type { Pacer } from './pacer.ts';

export interface IncarnationListener
  extends
    LaneListener,
    Pick<CellListener, 'log' | 'logDropped' | 'said' | 'sayDropped' | 'unkillable' | 'leftBehindEnded' | 'lowered'> {
  /** Comes once, after whatever `settling` waits for; the lane's remains are had by `takeRemains`. */
  ended(end: CellEnd): void;
}

export interface IncarnationOptions {
  readonly spec: CellSpec;
  readonly cell: ServiceCellOptions;
  /** What runs there, for what is said of it; a service where nothing else is named. */
  readonly subject?: string;
  readonly startMs: number;
  readonly handleMs: number;
  readonly stallMs: number;
}

export interface IncarnationDeps {
  readonly spawnCell: SpawnCell;
  readonly queue: IngressQueue;
  readonly pacer: Pacer;
  /** Is told of events before its cell has them. */
  readonly sending?: LaneOptions['sending'];
  readonly alone?: LaneOptions['alone'];
  readonly clock: Clock;
  readonly redact: Redact;
  readonly listener: IncarnationListener;
  /** What `ctx.state` holds when it starts, as one JSON object. Rejects where it cannot be had. */
  state?(): Promise<string | undefined>;
}

export type Drained = 'drained' | 'deadline' | 'ended';

export class Incarnation {
  readonly number: number;
  readonly lane: Lane;
  readonly #cell: Cell;
  readonly #clock: Clock;
  readonly #options: IncarnationOptions;
  readonly #redact: Redact;
  readonly #state: IncarnationDeps['state'];
  #startChanges: StateChanges | null = null;
  readonly #ended: Promise<CellEnd>;
  /** A decision about a claimed event that is still being made. */
  #settled: Promise<void> = Promise.resolve();
  #over = false;
  #condemned = false;
  #leftBehind = false;
  #hasStatus = false;
  #hasStop = false;
  #hasHalted = false;
  #halted: (() => void) | undefined;
  #drained: (() => void) | undefined;

  /** Throws `start_failed` where no cell can be made at all. */
  static spawn(options: IncarnationOptions, deps: IncarnationDeps): Incarnation {
    try {
      failpoint('cell-will-not-start')?.throwErrno('EAGAIN');
      return new Incarnation(options, deps);
    } catch (thrown) {
      throw new HostError(
        'start_failed',
        `No cell could be made: ${thrown instanceof Error ? thrown.message : 'unknown cause'}.`,
        { phase: 'spawn' },
      );
    }
  }

  private constructor(options: IncarnationOptions, deps: IncarnationDeps) {
    this.number = options.cell.incarnation;
    this.#options = options;
    this.#clock = deps.clock;
    this.#redact = deps.redact;
    this.#state = deps.state;
    const { listener } = deps;
    let tellEnded: (end: CellEnd) => void = () => {};
    this.#ended = new Promise((resolve) => {
      tellEnded = resolve;
    });
    this.#cell = deps.spawnCell(options.spec, {
      results: (message) => {
        this.lane.results(message);
        this.#settledSome();
      },
      progressed: () => {
        this.lane.progressed();
        this.#settledSome();
      },
      halted: () => {
        this.#hasHalted = true;
        this.#halted?.();
      },
      log: (message) => listener.log(message),
      logDropped: (message) => listener.logDropped(message),
      said: (message) => {
        listener.said?.(message);
        this.lane.reported();
        this.#settledSome();
      },
      sayDropped: (message) => listener.sayDropped?.(message),
      unkillable: () => {
        this.#leftBehind = true;
        listener.unkillable();
      },
      leftBehindEnded: () => listener.leftBehindEnded?.(),
      lowered: () => listener.lowered?.(),
      ended: (end) => {
        this.lane.seal();
        void this.#settled.then(() => {
          this.#over = true;
          listener.ended(end);
          tellEnded(end);
        });
      },
    });
    this.lane = new Lane(
      this.#cell,
      deps.queue,
      deps.clock,
      {
        pacer: deps.pacer,
        handleMs: options.handleMs,
        stallMs: options.stallMs,
        account: lossAccount.of(options.spec.name),
        sending: deps.sending,
        alone: deps.alone,
      },
      listener,
    );
  }

  get ended(): Promise<CellEnd> {
    return this.#ended;
  }

  get hasStatus(): boolean {
    return this.#hasStatus;
  }

  /** Its cell is gone, and what that means has been decided. */
  get over(): boolean {
    return this.#over;
  }

  /** The host has ordered its end. */
  get condemned(): boolean {
    return this.#condemned;
  }

  /** What its start has changed of the state, which takes effect when it is the live one. */
  get startChanges(): StateChanges | null {
    return this.#startChanges;
  }

  /** Its cell did not end and was given up: `ended` has resolved all the same. */
  get leftBehind(): boolean {
    return this.#leftBehind;
  }

  get isolation(): Isolation {
    return this.#options.spec.isolation;
  }

  get handleMs(): number {
    return this.#options.handleMs;
  }

  /** The end of this incarnation is not told before this is done. */
  settling(decision: Promise<void>): void {
    this.#settled = decision;
  }

  /** False when it still exists after this time. */
  async endsWithin(deadlineMs: number): Promise<boolean> {
    return (await this.#within(deadlineMs, () => {})) === 'ended';
  }

  locate(withinMs: number): Promise<Whereabouts> {
    return this.#cell.locate(withinMs);
  }

  /** Ends one input of a profile by its signal alone. */
  cancel(turn: number, reason: string): void {
    this.#cell.cancel?.(turn, reason);
  }

  /** Runs `then` when what the cell has said by now was taken. */
  heard(then: () => void): void {
    this.#cell.drain();
    if (this.#cell.arrivals === undefined) then();
    else this.#cell.arrivals(then);
  }

  usage(): ReturnType<Cell['usage']> {
    return this.#cell.usage();
  }

  get handleTimes(): Cell['register']['handleTimes'] {
    return this.#cell.register.handleTimes;
  }

  /** Messages of its cell that could not be read and were dropped. */
  get malformed(): number {
    return this.#cell.malformed;
  }

  /** Resolves when the service runs; throws what its start ended in. */
  async start(): Promise<void> {
    const account = lossAccount.of(this.#options.spec.name);
    account.add('starting', 1);
    lossAccount.flush();
    try {
      await this.#start();
    } finally {
      account.add('starting', -1);
    }
  }

  async #start(): Promise<void> {
    const { startMs } = this.#options;
    const dueMs = this.#clock.monotonicMs() + startMs;
    const loaded = await this.#cell.load(this.#options.cell, startMs);
    if (!loaded.ok) throw await this.#startError(loaded, 'import');
    this.#hasStatus = loaded.value.hasStatus;
    this.#hasStop = loaded.value.hasStop;
    const state = await this.#state?.();
    const started = await this.#cell.start(Math.max(1, dueMs - this.#clock.monotonicMs()), state);
    if (!started.ok) throw await this.#startError(started, 'start');
    this.#startChanges = started.value.state;
  }

  /** The state was changed since this one started, which has been given no event yet. */
  replaceState(json: string): void {
    this.#cell.replaceState?.(json);
  }

  status(deadlineMs: number): Promise<CallOutcome<string>> {
    return this.#cell.status(deadlineMs);
  }

  /** Waits until nothing is queued or in flight. */
  drain(deadlineMs: number): Promise<Drained> {
    return this.#within(deadlineMs, (done) => {
      this.#drained = () => done('drained');
      this.#tellDrained();
    });
  }

  /** True when the cell stopped between two events; what it has not begun can be taken. */
  async halt(withinMs: number): Promise<boolean> {
    this.lane.halt();
    if (this.#over) return false;
    if (this.#hasHalted || this.lane.atRest) return true;
    return (await this.#within(withinMs, (done) => (this.#halted = () => done('drained')))) === 'drained';
  }

  /** As `halt`, and the plugin's signal is aborted: an event that throws for it comes again. */
  interrupt(reason: string, withinMs: number): Promise<boolean> {
    this.lane.interrupt();
    this.#cell.abort(reason);
    return this.halt(withinMs);
  }

  takeRemains(): LaneRemains {
    const remains = this.lane.close();
    this.#halted?.();
    return remains;
  }

  /** The plugin's own stop. */
  stop(deadlineMs: number): Promise<CallOutcome<null>> {
    return this.#hasStop ? this.#cell.stop(deadlineMs) : Promise.resolve({ ok: true, value: null });
  }

  kill(reason: string): void {
    this.#condemned = true;
    this.#cell.kill(reason);
  }

  end(): void {
    this.#condemned = true;
    this.#cell.end();
  }

  #settledSome(): void {
    this.#tellDrained();
    // A cell that was halted during its last event has nothing to halt before, and does not say so.
    if (this.lane.atRest) this.#halted?.();
  }

  #tellDrained(): void {
    if (this.lane.idle) this.#drained?.();
  }

  #within(deadlineMs: number, begin: (done: (how: Drained) => void) => void): Promise<Drained> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(deadlineMs, () => resolve('deadline'));
      const done = (how: Drained): void => {
        timer.cancel();
        resolve(how);
      };
      void this.#ended.then(() => done('ended'));
      begin(done);
    });
  }

  async #startError(
    outcome: Exclude<CallOutcome<unknown>, { ok: true }>,
    during: 'import' | 'start',
  ): Promise<HostError> {
    const { startMs, subject = 'service' } = this.#options;
    switch (outcome.phase) {
      case 'deadline': {
        // Before the cell is ended, for afterwards nobody can tell.
        const where = await this.#cell.locate(locateMs);
        const place = whereText(where);
        return new HostError(
          'start_timeout',
          `The ${subject} did not start within ${String(startMs)} ms; it was in its ${during}${place === '' ? '' : `: ${place}`}.`,
          { phase: during, timeoutMs: startMs, where },
        );
      }
      case 'ended': {
        const cause = causeOf(outcome.end.error, this.#redact);
        return new HostError('start_failed', `The cell ended during the ${during}: ${causeText(cause)}.`, {
          phase: during,
          reason: outcome.end.reason,
          cause,
        });
      }
      default: {
        const cause = causeOf(outcome.error, this.#redact);
        const inFiles = during === 'import' && liesInFiles(outcome.error);
        const what =
          outcome.phase === 'exports'
            ? `does not export what a ${subject} needs`
            : outcome.phase === 'import'
              ? 'could not be imported'
              : 'failed to start';
        return new HostError('start_failed', `The plugin ${what}: ${causeText(cause)}`, {
          phase: outcome.phase,
          ...(inFiles ? { inFiles } : {}),
          cause,
        });
      }
    }
  }
}
