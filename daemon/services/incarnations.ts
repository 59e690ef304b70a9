// Makes the incarnations of one service, numbers them, and passes on what their cells tell: results to the outcomes,
// ends to what follows from an end, lines to the log.
import type { CellEnd } from '../cells/cell.ts';
import { incarnationOptions } from '../dispatch/incarnation-options.ts';
import { Escalation } from '../dispatch/escalation.ts';
import { Incarnation } from '../dispatch/incarnation.ts';
import type { WakeTurn } from '../dispatch/wake-turns.ts';
import type { ServicePlan } from '../dispatch/service-plan.ts';
import type { IncarnationEnds } from './incarnation-ends.ts';
import type { LiveIncarnations } from './live-incarnations.ts';
import type { Books } from './books.ts';
import type { Intake } from './intake.ts';
import type { Journal } from './journal.ts';
import type { Outcomes } from './outcomes.ts';
import type { ServiceDeps } from './service-deps.ts';
import type { Settlement } from './settlement.ts';

export interface LifeDeps extends ServiceDeps {
  readonly journal: Journal;
  readonly books: Books;
  readonly intake: Intake;
  readonly outcomes: Outcomes;
  readonly settlement: Settlement;
  /** Its events are stored. */
  durable(): boolean;
  /** Of the lanes of all its incarnations. */
  readonly turn: WakeTurn;
  /** A new incarnation runs. */
  began(): void;
}

export class Incarnations {
  readonly #deps: LifeDeps;
  readonly #presence: LiveIncarnations;
  readonly #ends: IncarnationEnds;
  readonly #escalation = new Escalation();
  /** A reload that fails uses up a number too. */
  #spawned = 0;

  constructor(deps: LifeDeps, presence: LiveIncarnations, ends: IncarnationEnds) {
    this.#deps = deps;
    this.#presence = presence;
    this.#ends = ends;
  }

  /** The number of the next one. */
  get next(): number {
    return this.#spawned + 1;
  }

  /** The plan as it is to be carried out. */
  planned(plan: ServicePlan): ServicePlan {
    return this.#escalation.of(plan);
  }

  /** Throws `start_failed` where no cell can be made at all. */
  spawn(plan: ServicePlan): Incarnation {
    const { clock, spawnCell, redact, limits, cellLog } = this.#deps;
    this.#spawned += 1;
    const spawned: Incarnation = Incarnation.spawn(
      incarnationOptions(this.#escalation.of(plan), this.#spawned, limits),
      {
        spawnCell,
        queue: this.#deps.intake.queue,
        pacer: this.#deps.turn,
        sending: this.#deps.kept?.sending,
        alone: this.#deps.kept?.alone,
        clock,
        redact,
        // What is not committed when its events come again is no part of it.
        state: async () => {
          await this.#deps.settlement.empty();
          return this.#deps.state.snapshot();
        },
        listener: {
          handled: (event, output, effects) => this.#deps.outcomes.handled(event, output, spawned.number, effects),
          failed: (event, failure) => this.#deps.outcomes.failed(event, failure, spawned.number),
          interrupted: (event) => this.#ends.interrupted(spawned, event),
          overran: (event, ranMs) => spawned.settling(this.#ends.overran(spawned, event, ranMs)),
          stalled: (idleMs) => this.#ends.stalled(spawned, idleMs),
          ended: (end) => this.#ended(spawned, plan, end),
          log: (message) => cellLog.log(message, spawned.number),
          logDropped: (message) => cellLog.logDropped(message, spawned.number),
          unkillable: () => this.#gaveUp(spawned, plan),
          leftBehindEnded: () => this.#leftBehindEnded(spawned),
          lowered: () =>
            this.#deps.journal.note(
              'info',
              'lowered',
              'The thread has computed for long without a rest and has a lower priority until it ends, so that the others can go on.',
              spawned.number,
            ),
        },
      },
    );
    this.#presence.add(spawned);
    return spawned;
  }

  #ended(incarnation: Incarnation, plan: ServicePlan, end: CellEnd): void {
    this.#escalate(plan, end.reason, incarnation.number);
    this.#presence.remove(incarnation);
    this.#deps.turn.leave(incarnation.lane);
    this.#ends.ended(incarnation, end);
  }

  #escalate(plan: ServicePlan, reason: string, incarnation: number): void {
    if (!this.#escalation.consider(plan, reason)) return;
    this.#deps.journal.note(
      'warn',
      'escalated',
      `From its next start on the service runs in a process cell: its thread's end (${reason}) is one that threads cannot hold.`,
      incarnation,
      { reason },
    );
  }

  #gaveUp(live: Incarnation, plan: ServicePlan): void {
    this.#presence.leaveBehind(live);
    this.#escalate(plan, 'unkillable', live.number);
    this.#deps.journal.note(
      'warn',
      'unkillable',
      `The cell's ${live.isolation} does not end: it sits in native code or in a call of the system. It was given up and is not waited for.`,
      live.number,
    );
  }

  #leftBehindEnded(live: Incarnation): void {
    this.#presence.leftBehindEnded(live);
    this.#deps.journal.note('info', 'gone', `The ${live.isolation} that was given up has ended.`, live.number);
  }
}
