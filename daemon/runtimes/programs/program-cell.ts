// One life of a program's cell: it takes one input at a time and sees each to its end, by its own word, by its deadline
// or by the end of the cell. It is a service's incarnation with a queue of one, and no second attempts.
import type { EventEffects } from '../../../protocol/cell/effects.ts';
import { HostError } from '../../../protocol/errors.ts';
import type { CellEnd } from '../../cells/cell.ts';
import type { Clock, Timer } from '../../time/clock.ts';
import { Incarnation } from '../../dispatch/incarnation.ts';
import { IngressQueue } from '../../dispatch/ingress-queue.ts';
import { Pacer } from '../../dispatch/pacer.ts';
import type { ServicePlan } from '../../dispatch/service-plan.ts';
import { locateMs } from '../../isolates/stack-capture.ts';
import type { CellSlot } from './cell-slots.ts';
import type { ProgramEnd } from './program.ts';
import { endedError, overranError, stalledError, threwError } from './program-errors.ts';
import {
  type ProgramLimits,
  type ProgramOffer,
  type WorkerAddress,
  inputIngress,
  programIncarnationOptions,
} from './program-offer.ts';
import type { RunningInput } from './running-input.ts';

export interface ProgramCellOptions {
  readonly offer: ProgramOffer;
  /** The offer's, or what an escalation made of it. */
  readonly plan: ServicePlan;
  readonly worker: WorkerAddress;
  readonly number: number;
  readonly seat: CellSlot;
  readonly limits: ProgramLimits;
  readonly clock: Clock;
  /** What the worker keeps in `ctx.state` when the cell starts. */
  state(): string | undefined;
}

export interface ProgramCellListener {
  /** Pieces that belonged nowhere. */
  dropped(pieces: number): void;
  /** The input never began here: another cell is to have it. */
  again(turn: RunningInput): void;
  /** Given up; `gone` follows at once. */
  unkillable(): void;
  /** The cell that was given up has ended after all. */
  leftBehindEnded(): void;
  gone(end: CellEnd): void;
}

/** A cell has paid for its start once it has lived for so many times as long as that took, within these bounds. */
const paidFactor = 10;
const paidBoundsMs = { least: 250, most: 1000 } as const;

export class ProgramCell {
  readonly offer: ProgramOffer;
  readonly number: number;
  readonly seat: CellSlot;
  readonly #options: ProgramCellOptions;
  readonly #listener: ProgramCellListener;
  readonly #incarnation: Incarnation;
  readonly #queue = new IngressQueue({ capacity: 1, maxBytes: Infinity });
  #turn: RunningInput | undefined;
  #grace: Timer | undefined;
  #started = false;
  /** Its cell keeps something in `ctx.state` that the worker does not. */
  #keepsMore = false;
  #paidAtMs = Infinity;

  /** Throws `start_failed` where no cell can be made at all. */
  constructor(options: ProgramCellOptions, listener: ProgramCellListener) {
    const { offer, plan, worker, number, limits, clock } = options;
    const { home } = offer;
    this.offer = offer;
    this.number = number;
    this.seat = options.seat;
    this.#options = options;
    this.#listener = listener;
    this.#incarnation = Incarnation.spawn(programIncarnationOptions(plan, offer.profile, worker, number, limits), {
      spawnCell: home.spawnCell,
      queue: this.#queue,
      pacer: new Pacer(),
      clock,
      redact: home.redact,
      state: () => Promise.resolve(options.state()),
      listener: {
        handled: (_event, _output, effects) => this.#handled(effects),
        failed: (_event, failure) => this.#finish({ kind: 'failed', error: threwError(failure, home.redact) }),
        overran: (_event, ranMs) => this.#incarnation.settling(this.#overran(ranMs)),
        stalled: (idleMs) => this.#stalled(stalledError(idleMs)),
        ended: (end) => this.#gone(end),
        said: ({ turn, text }) => {
          if (this.#turn?.said(turn, text, home.redact) !== true) listener.dropped(1);
        },
        sayDropped: ({ pieces }) => listener.dropped(pieces),
        log: (message) => home.log(message, number),
        logDropped: (message) => home.logDropped(message, number),
        unkillable: () => {
          home.failed(
            new HostError('cell_crashed', "The program's cell does not end: it sits in native code, and is given up.", {
              reason: 'unkillable',
            }),
            number,
          );
          listener.unkillable();
        },
        leftBehindEnded: () => {
          home.note('gone', 'A cell of a worker that was given up has ended.', number);
          listener.leftBehindEnded();
        },
      },
    });
  }

  /** It may be given the next input. */
  get usable(): boolean {
    return this.#started && !this.#incarnation.over && !this.#incarnation.condemned;
  }

  /** It has been of use for long enough that it may leave for another worker's cell. */
  get hasPaid(): boolean {
    return this.#options.clock.monotonicMs() >= this.#paidAtMs;
  }

  /** Resolves when it can take an input; throws what its start ended in. */
  async start(): Promise<void> {
    const { clock } = this.#options;
    const beganMs = clock.monotonicMs();
    await this.#incarnation.start();
    this.#started = true;
    const startedMs = clock.monotonicMs();
    this.#paidAtMs =
      startedMs + Math.min(paidBoundsMs.most, Math.max(paidBoundsMs.least, (startedMs - beganMs) * paidFactor));
  }

  has(turn: RunningInput): boolean {
    return this.#turn === turn;
  }

  give(turn: RunningInput): void {
    const { number, input } = turn;
    const { eventId, kind, content, createdAt, history } = input;
    const payload = JSON.stringify({ turn: number, content, history });
    const head = { ingress: inputIngress, kind, source: this.#options.worker.runtimeId, createdAt };
    this.#turn = turn;
    if (this.#incarnation.over) {
      this.#passOn(
        turn,
        new HostError('cell_crashed', "The program's cell ended before the input began.", { reason: 'ended' }),
      );
      return;
    }
    if (this.#keepsMore) this.#incarnation.replaceState(input.state() ?? '{}');
    this.#keepsMore = false;
    this.#queue.push({
      head,
      payload,
      eventId,
      correlationId: eventId,
      attempt: 1,
      bytes: payload.length,
      acceptedMs: this.#options.clock.monotonicMs(),
      story: [],
    });
    this.#incarnation.lane.pump();
  }

  /** By its signal; what ignores it is ended with its cell. */
  cancelInput(): void {
    const turn = this.#turn;
    if (turn === undefined) return;
    turn.cancel();
    this.#incarnation.cancel(turn.number, 'the input was cancelled');
    this.#grace = this.#options.clock.after(this.#options.limits.workerCancelMs, () => {
      // That it has ended may have arrived, and only not been taken.
      this.#incarnation.heard(() => {
        if (this.has(turn)) this.endInput({ kind: 'cancelled' });
      });
    });
  }

  /** Whoever waits for the input is told first; the cell goes the whole ladder down. */
  endInput(end: ProgramEnd): void {
    this.kill(end.kind === 'failed' ? end.error.message : 'the input was cancelled');
    this.#finish(end);
  }

  kill(reason: string): void {
    this.#incarnation.kill(reason);
    this.#incarnation.lane.seal();
  }

  /** The same without asking: it has nothing to do. */
  end(): void {
    this.#incarnation.end();
  }

  endsWithin(deadlineMs: number): Promise<boolean> {
    return this.#incarnation.endsWithin(deadlineMs);
  }

  async #overran(ranMs: number): Promise<void> {
    const where = await this.#incarnation.locate(locateMs);
    this.#incarnation.lane.settleClaimed(undefined);
    this.endInput({ kind: 'failed', error: overranError(ranMs, this.#incarnation.handleMs, where) });
  }

  #gone(end: CellEnd): void {
    const { home } = this.offer;
    // What had ended before the cell did is settled by this.
    const { blamed } = this.#incarnation.takeRemains();
    const error = endedError(end, blamed !== undefined, home.redact);
    const untouched = blamed === undefined ? this.#turn : undefined;
    if (untouched === undefined) this.#finish({ kind: 'failed', error });
    if (blamed === undefined && this.#started && end.reason !== 'killed') home.failed(error, this.number);
    this.seat.release();
    this.#listener.gone(end);
    if (untouched !== undefined) this.#passOn(untouched, error);
  }

  #stalled(error: HostError): void {
    this.kill(error.message);
    this.offer.home.failed(error, this.number);
    if (this.#turn !== undefined) this.#passOn(this.#turn, error);
  }

  #passOn(turn: RunningInput, error: HostError): void {
    if (!turn.comesAgain()) {
      this.#finish({ kind: 'failed', error });
      return;
    }
    this.#turn = undefined;
    this.#listener.again(turn);
  }

  /** An input that was to end before it returned was not done, and what it has changed is forgotten. */
  #handled(effects: EventEffects | undefined): void {
    const state = effects?.state;
    if (state !== undefined && (this.#turn === undefined || this.#turn.over || this.#turn.cancelled))
      this.#keepsMore = true;
    this.#finish(state === undefined ? { kind: 'done' } : { kind: 'done', state });
  }

  #finish(end: ProgramEnd): void {
    const turn = this.#turn;
    this.#turn = undefined;
    this.#grace?.cancel();
    if (turn?.end(end) !== true || turn.cancelled || end.kind !== 'failed') return;
    this.offer.home.failed(end.error, this.number, turn.input.eventId);
  }
}
