// What follows when an incarnation overruns, stalls or ends: the event at hand is decided about, the others go back
// into the queue, callers are answered, and the service fails if it was running and nobody had told it to stop.
import { HostError } from '../../protocol/errors.ts';
import type { CellEnd } from '../cells/cell.ts';
import type { Clock } from '../time/clock.ts';
import { locateMs } from '../isolates/stack-capture.ts';
import type { Incarnation } from '../dispatch/incarnation.ts';
import { haltSlackMs } from './hand-over.ts';
import type { Intake } from './intake.ts';
import type { Journal } from './journal.ts';
import type { Outcomes } from './outcomes.ts';
import type { LiveIncarnations } from './live-incarnations.ts';
import type { QueuedEvent } from '../dispatch/queued-event.ts';
import { type Fault, type ServiceState, isStoreOutage } from './service-state.ts';
import type { Settlement } from './settlement.ts';
import type { Verdict } from './supervisor.ts';

export interface EndsDeps {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly intake: Intake;
  readonly outcomes: Outcomes;
  readonly state: ServiceState;
  readonly presence: LiveIncarnations;
  readonly settlement: Settlement;
}

export class IncarnationEnds {
  readonly #deps: EndsDeps;

  constructor(deps: EndsDeps) {
    this.#deps = deps;
  }

  /** Its handler threw because a stop had aborted its signal. Returns the event as it comes again, if it does. */
  interrupted(incarnation: Incarnation, event: QueuedEvent): QueuedEvent | undefined {
    const { outcomes, state } = this.#deps;
    return outcomes.cutOff(event, incarnation.number, state.comesBack);
  }

  async overran(incarnation: Incarnation, event: QueuedEvent, ranMs: number): Promise<void> {
    const { outcomes } = this.#deps;
    const where = await incarnation.locate(locateMs);
    const error = outcomes.timeoutError(event, ranMs, incarnation.handleMs, where);
    const verdict = this.#judge(incarnation);
    incarnation.lane.settleClaimed(outcomes.timedOut(event, error, incarnation.number, this.#goesOn(verdict)));
    this.#giveUp(incarnation, error, verdict);
  }

  stalled(incarnation: Incarnation, idleMs: number): void {
    const error = new HostError(
      'cell_crashed',
      `The cell began no event for ${String(Math.round(idleMs))} ms although it had some: something outside the handler holds its thread.`,
      { reason: 'stalled' },
    );
    this.#deps.journal.failure(error, incarnation.number);
    this.#giveUp(incarnation, error, this.#judge(incarnation));
  }

  /** What its events had changed could not be stored: those come again, from what is stored. */
  async uncommitted(incarnation: Incarnation, error: HostError): Promise<void> {
    this.#deps.journal.failure(error, incarnation.number);
    await incarnation.halt(incarnation.handleMs + locateMs + haltSlackMs);
    if (incarnation.over) this.takeAgain(incarnation.number);
    // One that overran meanwhile has been decided about.
    else if (!incarnation.condemned)
      this.#giveUp(incarnation, error, this.#judge(incarnation, { outage: isStoreOutage(error) }));
  }

  /** What an incarnation that has ended had handled without its being stored goes back to the front. */
  takeAgain(incarnation: number): void {
    const { intake, outcomes, settlement } = this.#deps;
    const again = settlement.takeAgain(incarnation);
    if (again.length > 0) intake.queue.giveBack(again.map((event) => outcomes.uncommitted(event, incarnation)));
  }

  ended(incarnation: Incarnation, end: CellEnd): void {
    const { outcomes, intake, journal, state, presence } = this.#deps;
    const byItself = end.reason !== 'killed';
    const isLive = this.#isLive(incarnation);
    const isNext = this.#isNext(incarnation);
    const { blamed, untouched } = incarnation.takeRemains();
    const verdict = byItself ? this.#judge(incarnation) : undefined;
    const error = outcomes.crashError(end, blamed !== undefined);
    const again = blamed === undefined ? undefined : this.#blame(blamed, incarnation, { byItself, error, verdict });
    intake.queue.giveBack(again === undefined ? untouched : [again, ...untouched]);
    this.takeAgain(incarnation.number);
    // Nobody else tells of it: the next one was not to be the live one before it had taken over.
    if (byItself && blamed === undefined && (isLive || isNext)) journal.failure(error, incarnation.number);
    if (byItself && isLive) state.order?.failed(error);
    if (presence.live === incarnation) presence.live = undefined;
    if (verdict !== undefined) state.fail('cell_ended', incarnation.number, verdict);
    if (state.lifecycle === 'failed' && !state.acceptsEvents) intake.refuseWaiting('service_failed');
  }

  /** Callers are answered first; nobody waits for the cell to be gone. */
  #giveUp(incarnation: Incarnation, why: HostError, verdict: Verdict | undefined): void {
    const { clock, intake, journal, state, presence } = this.#deps;
    const toldMs = clock.monotonicMs();
    incarnation.kill(why.message);
    // Claimed or sealed, it can neither begin nor settle anything more: what it had can be decided about at once.
    intake.queue.giveBack(incarnation.takeRemains().untouched);
    this.takeAgain(incarnation.number);
    void incarnation.ended.then(() => {
      if (incarnation.leftBehind) return;
      const tookMs = Math.round(clock.monotonicMs() - toldMs);
      journal.note(
        'info',
        'killed',
        `The cell was gone ${String(tookMs)} ms after it had been told to end.`,
        incarnation.number,
        { tookMs },
      );
    });
    if (presence.live === incarnation) state.order?.failed(why);
    if (verdict !== undefined) state.fail('cell_overran', incarnation.number, verdict);
  }

  /** It runs, or is being brought down. */
  #isLive(incarnation: Incarnation): boolean {
    const { presence, state } = this.#deps;
    return presence.live === incarnation && (state.since !== undefined || state.order !== undefined);
  }

  #isNext(incarnation: Incarnation): boolean {
    const { current } = this.#deps.state;
    return 'next' in current && current.next === incarnation;
  }

  /**
   * What the supervisor says if this is a failure of the service. It is asked before the event at hand is decided
   * about: the caller of that event is told another thing if the service does not come back.
   */
  #judge(incarnation: Incarnation, fault: Fault = {}): Verdict | undefined {
    const { presence, state } = this.#deps;
    // In a reload the next incarnation takes over from a dead one too.
    const fails = presence.live === incarnation && state.current.phase === 'running';
    return fails ? state.judge(fault) : undefined;
  }

  /** Whether an incarnation takes the queue without being asked to. */
  #goesOn(verdict: Verdict | undefined): boolean {
    return verdict === undefined ? this.#deps.state.acceptsEvents : verdict.kind === 'restart';
  }

  #blame(
    event: QueuedEvent,
    { number }: Incarnation,
    how: { readonly byItself: boolean; readonly error: HostError; readonly verdict: Verdict | undefined },
  ): QueuedEvent | undefined {
    const { outcomes, state } = this.#deps;
    if (how.byItself || state.lifecycle !== 'stopping')
      return outcomes.crashed(event, how.error, number, this.#goesOn(how.verdict));
    return outcomes.cutOff(event, number, state.comesBack);
  }
}
