// The program behind one worker: a plugin's profile in a cell of its own. The cell is made for the first input, ended
// after a while without one, and replaced after a crash, an overrun or a reload; what must last is in the history.
import { HostError, asHostError } from '../../../protocol/errors.ts';
import type { Isolation } from '../../../protocol/manifest.ts';
import type { CellEnd } from '../../cells/cell.ts';
import type { Clock, Timer } from '../../time/clock.ts';
import { Escalation } from '../../dispatch/escalation.ts';
import type { CellSlots, CellSlot, SeatWait } from './cell-slots.ts';
import type { Program, ProgramEnd, ProgramInput, ProgramView } from './program.ts';
import { ProgramCell } from './program-cell.ts';
import { noSeatError } from './program-errors.ts';
import type { ProgramLimits, ProgramOffer, WorkerAddress } from './program-offer.ts';
import { RunningInput } from './running-input.ts';

export interface PluginProgramDeps {
  readonly clock: Clock;
  readonly seats: CellSlots;
  readonly limits: ProgramLimits & { readonly workerCells: number };
  /** What the profile is at present; throws why there is none. */
  offer(): ProgramOffer;
  /** It was closed, and keeps nothing any more. */
  closed(program: PluginProgram): void;
  /** A cell of it was given up. */
  unkillable(): void;
  /** A cell that was given up has ended after all. */
  leftBehindEnded(): void;
}

/** What an old cell gets to be gone before the next one starts. */
const partMs = 100;
/** For how long a cell that has not paid for its start yet waits for the next input before others may have its seat. */
const nextInputMs = 25;

export class PluginProgram implements Program {
  readonly #worker: WorkerAddress;
  readonly #deps: PluginProgramDeps;
  readonly #escalation = new Escalation();
  /** Cells that are not gone. */
  readonly #present = new Set<ProgramCell>();
  #cell: ProgramCell | undefined;
  /** That its last input was run by. */
  #offer: ProgramOffer | undefined;
  #turn: RunningInput | undefined;
  #wait: SeatWait | undefined;
  #idle: Timer | undefined;
  #expecting: Timer | undefined;
  #isolation: Isolation;
  #turns = 0;
  #incarnations = 0;
  #unkillable = 0;
  #dropped = 0;
  #closed = false;

  constructor(worker: WorkerAddress, isolation: Isolation, deps: PluginProgramDeps) {
    this.#worker = worker;
    this.#isolation = isolation;
    this.#deps = deps;
  }

  async run(input: ProgramInput, say: (text: string) => void): Promise<ProgramEnd> {
    if (this.#closed)
      return {
        kind: 'failed',
        error: new HostError('worker_stopped', 'The worker was stopped; its program takes no more input.'),
      };
    if (this.#turn !== undefined)
      return { kind: 'failed', error: new HostError('internal', 'A program takes one input at a time.') };
    this.#idle?.cancel();
    this.#expecting?.cancel();
    this.#turns += 1;
    const turn = new RunningInput(this.#turns, input, say, this.#deps.limits);
    this.#turn = turn;
    void this.#carryOut(turn);
    const end = await turn.ended;
    this.#turn = undefined;
    this.#offer?.home.inputEnded?.(end.kind);
    this.#rest();
    return end;
  }

  cancel(): void {
    const turn = this.#turn;
    if (turn === undefined || turn.cancelled) return;
    turn.cancel();
    if (this.#cell?.has(turn) === true) this.#cell.cancelInput();
    else this.#stopTurn(turn, { kind: 'cancelled' }, 'the input was cancelled');
  }

  view(): ProgramView {
    return {
      incarnation: this.#incarnations,
      isolation: this.#isolation,
      live: this.#present.size > 0,
      unkillable: this.#unkillable,
      droppedPieces: this.#dropped,
    };
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    this.#turn?.cancel();
    await this.#endAll({ kind: 'cancelled' }, 'the worker stops', deadlineMs);
    this.#deps.closed(this);
  }

  /** What it runs is taken away; a later offer may be of use again. */
  async revoke(why: HostError, deadlineMs: number): Promise<void> {
    await this.#endAll({ kind: 'failed', error: why }, why.message, deadlineMs);
  }

  /** Never rejects: what goes wrong is the end of the turn. */
  async #carryOut(turn: RunningInput): Promise<void> {
    let offer: ProgramOffer | undefined;
    if (turn.over) return;
    try {
      offer = this.#deps.offer();
      this.#offer = offer;
      const cell = await this.#cellFor(turn, offer);
      if (!turn.over) cell?.give(turn);
    } catch (thrown) {
      const error = asHostError(thrown);
      if (turn.end({ kind: 'failed', error })) offer?.home.failed(error, this.#incarnations, turn.input.eventId);
    }
  }

  /** Nothing where the turn ended meanwhile. */
  async #cellFor(turn: RunningInput, offer: ProgramOffer): Promise<ProgramCell | undefined> {
    const live = this.#cell;
    if (live?.usable === true && live.offer === offer) {
      live.seat.busy();
      return live;
    }
    // One that is being ended for a fault keeps the time that its ladder gives it.
    if (live?.usable === true) this.#leave(live);
    this.#cell = undefined;
    // Two cells of one worker do not work side by side if it can be helped.
    await Promise.all([...this.#present].map((old) => old.endsWithin(partMs)));
    const seat = await this.#seat(turn, offer.profile.timeoutMs);
    if (seat === undefined) return undefined;
    const cell = this.#spawn(offer, seat, turn.input);
    try {
      await cell.start();
    } catch (thrown) {
      cell.kill('the start failed');
      if (this.#cell === cell) this.#cell = undefined;
      throw thrown;
    }
    return cell;
  }

  async #seat(turn: RunningInput, withinMs: number): Promise<CellSlot | undefined> {
    if (turn.over) return undefined;
    const { seats, limits } = this.#deps;
    const wait = seats.take(withinMs);
    this.#wait = wait;
    const seat = await wait.seat;
    if (this.#wait === wait) this.#wait = undefined;
    if (turn.over) seat?.release();
    else if (seat === undefined) throw noSeatError(withinMs, limits.workerCells);
    return turn.over ? undefined : seat;
  }

  #spawn(offer: ProgramOffer, seat: CellSlot, { state }: ProgramInput): ProgramCell {
    const { clock, limits } = this.#deps;
    const plan = this.#escalation.of(offer.plan);
    this.#isolation = plan.plugin.manifest.isolation;
    this.#incarnations += 1;
    try {
      const cell: ProgramCell = new ProgramCell(
        { offer, plan, worker: this.#worker, number: this.#incarnations, seat, limits, clock, state },
        {
          dropped: (pieces) => (this.#dropped += pieces),
          again: (turn) => void this.#carryOut(turn),
          unkillable: () => this.#gaveUp(offer),
          leftBehindEnded: () => this.#leftBehindEnded(),
          gone: (end) => this.#gone(cell, end),
        },
      );
      this.#present.add(cell);
      this.#cell = cell;
      return cell;
    } catch (thrown) {
      seat.release();
      throw thrown;
    }
  }

  #gaveUp({ plan }: ProgramOffer): void {
    this.#unkillable += 1;
    this.#escalation.consider(plan, 'unkillable');
    this.#deps.unkillable();
  }

  #leftBehindEnded(): void {
    this.#unkillable -= 1;
    this.#deps.leftBehindEnded();
  }

  #gone(cell: ProgramCell, end: CellEnd): void {
    this.#escalation.consider(cell.offer.plan, end.reason);
    this.#present.delete(cell);
    if (this.#cell !== cell) return;
    this.#idle?.cancel();
    this.#expecting?.cancel();
    this.#cell = undefined;
  }

  /**
   * Between two inputs its seat may be wanted, and after a while the cell is not worth its memory. Where more workers
   * are busy than there are seats, a cell first handles some of its worker's inputs: else each of them would start a
   * cell.
   */
  #rest(): void {
    const cell = this.#cell;
    if (cell?.usable !== true || this.#turn !== undefined) return;
    this.#idle = this.#deps.clock.after(this.#deps.limits.workerIdleMs, () => this.#leave(cell));
    const offer = (): void => cell.seat.idle(() => this.#leave(cell));
    if (cell.hasPaid || this.#deps.seats.urgent) offer();
    else this.#expecting = this.#deps.clock.after(nextInputMs, offer);
  }

  #leave(cell: ProgramCell): void {
    this.#idle?.cancel();
    this.#expecting?.cancel();
    // Its seat comes back by itself now: nobody needs to ask for it any more.
    cell.seat.busy();
    cell.end();
    if (this.#cell === cell) this.#cell = undefined;
  }

  #stopTurn(turn: RunningInput, end: ProgramEnd, reason: string): void {
    this.#wait?.giveUp();
    if (this.#cell?.has(turn) === true) this.#cell.endInput(end);
    else this.#cell?.kill(reason);
    turn.end(end);
  }

  async #endAll(end: ProgramEnd, reason: string, deadlineMs: number): Promise<void> {
    this.#idle?.cancel();
    this.#expecting?.cancel();
    if (this.#turn !== undefined) this.#stopTurn(this.#turn, end, reason);
    // Others have nothing to do, or were told to end before.
    for (const cell of this.#present) if (cell.usable) cell.end();
    await Promise.all([...this.#present].map((cell) => cell.endsWithin(deadlineMs)));
  }
}
