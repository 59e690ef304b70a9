// What becomes of each event that a cell had: the one place that turns what the lane tells into an outcome in the
// books, a line in the journal and the answer to whoever waits, or into another attempt.
import type { EventEffects, SentCommand, StateChanges } from '../../protocol/cell/effects.ts';
import type { EventFailure, EventOutput } from '../../protocol/cell/messages.ts';
import type { AttemptStory, DeadLetterReason, DeadLetterWithEvent } from '../../protocol/dead-letter.ts';
import { timeText } from '../../protocol/time-text.ts';
import { HostError } from '../../protocol/errors.ts';
import type { RetryOptions } from '../../protocol/manifest.ts';
import { uuidv7 } from '../../protocol/uuid.ts';
import { plural } from '../../protocol/plural.ts';
import type { CellEnd } from '../cells/cell.ts';
import { type Whereabouts, stackText, whereText } from '../isolates/whereabouts.ts';
import type { Clock } from '../time/clock.ts';
import {
  type PluginError,
  type Redact,
  causeOf,
  causeStack,
  causeText,
  endOutsideText,
} from '../dispatch/plugin-error.ts';
import type { Books, Outcome } from './books.ts';
import type { KeptQueue } from './durable/kept-queue.ts';
import type { Intake } from './intake.ts';
import type { Journal } from './journal.ts';
import type { KeptState } from '../dispatch/kept-state.ts';
import type { Retries } from './retries.ts';
import type { CommandSink, ServiceDeps } from './service-deps.ts';
import { type Settlement, noEffects } from './settlement.ts';
import { retryDelayMs } from './retry-delay.ts';
import { type EventOrigin, type QueuedEvent, idsOf, wholeEvent } from '../dispatch/queued-event.ts';

const noChanges: StateChanges = [];
const noCommands: readonly SentCommand[] = [];

export interface OutcomesDeps {
  readonly books: Books;
  readonly intake: Intake;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly redact: Redact;
  readonly deadLetters: Pick<ServiceDeps['deadLetters'], 'add' | 'written'>;
  readonly retries: Retries;
  readonly settlement: Settlement;
  readonly state: Pick<KeptState, 'stage' | 'write'>;
  readonly commands: Pick<CommandSink, 'stage'>;
  /** Its events are stored: what they change is committed with their outcome. */
  durable(): boolean;
  /** The queue on disk; undefined where nothing is stored. */
  readonly kept: KeptQueue | undefined;
  retry(): RetryOptions;
}

export class Outcomes {
  readonly #deps: OutcomesDeps;

  constructor(deps: OutcomesDeps) {
    this.#deps = deps;
  }

  /** `effects`: what it changes if it counts as handled. */
  handled(event: QueuedEvent, output: EventOutput | undefined, incarnation: number, effects?: EventEffects): void {
    if (this.#isLeft(event)) return;
    const conclude = (): void => this.#handled(event, output, incarnation);
    if (effects === undefined) this.#deps.settlement.settle(event, incarnation, noEffects, conclude);
    else this.#settleWith(event, incarnation, effects, conclude);
  }

  #settleWith(
    event: QueuedEvent,
    incarnation: number,
    { state: changes = noChanges, commands: sent = noCommands }: EventEffects,
    conclude: () => void,
  ): void {
    const { settlement, state, commands } = this.#deps;
    const durable = this.#deps.durable();
    const staged = commands.stage(event, sent, durable);
    if (durable) {
      const stagedState = state.stage(changes);
      const concluded = (): void => {
        stagedState.commit();
        staged.commit();
        conclude();
      };
      const effects = [...stagedState.changes, ...staged.changes];
      settlement.settle(event, incarnation, effects, concluded, () => stagedState.drop());
      return;
    }
    // Written with the outcome, and not waited for: what is in memory alone does not wait for the disk.
    state.write(changes);
    staged.commit();
    settlement.settle(event, incarnation, noEffects, conclude);
  }

  /** Its effects are dropped. */
  failed(event: QueuedEvent, failure: EventFailure, incarnation: number): void {
    if (this.#isLeft(event)) return;
    this.#deps.settlement.settle(event, incarnation, noEffects, () => this.#failed(event, failure, incarnation));
  }

  /** It ended here and counts for nothing: another member of the cluster has it. */
  #isLeft(event: QueuedEvent): boolean {
    if (event.origin?.isOver() !== true) return false;
    this.#deps.books.attempted(event);
    this.#deps.intake.discard([event], 'moved');
    return true;
  }

  /** It was handled and its effects could not be committed: it comes again. */
  uncommitted(event: QueuedEvent, incarnation: number): QueuedEvent {
    this.#deps.books.attempted(event);
    const attempt = event.attempt + 1;
    this.#deps.journal.told(
      'warn',
      'uncommitted',
      `What the event had changed could not be stored; it comes again as attempt ${String(attempt)}.`,
      incarnation,
      { ...idsOf(event), attempt },
    );
    return this.#moved({ ...event, attempt });
  }

  #handled(event: QueuedEvent, output: EventOutput | undefined, incarnation: number): void {
    this.#deps.books.attempted(event);
    const sinceMs = this.#settle(event, 'handled', incarnation, output?.durationMs);
    if (output === undefined) {
      event.waiter?.refused(
        new HostError('cell_crashed', 'The event was handled, but its cell ended before the answer was out.', {
          handled: true,
        }),
      );
      return;
    }
    const { eventId, correlationId, attempt } = event;
    event.waiter?.handled({
      eventId,
      correlationId,
      attempt,
      json: output.json,
      durationMs: output.durationMs,
      queuedMs: Math.max(0, sinceMs - output.durationMs),
    });
  }

  #failed(event: QueuedEvent, failure: EventFailure, incarnation: number): void {
    const { books, journal } = this.#deps;
    const error = this.#failureError(failure);
    if (event.waiter === undefined) {
      this.#publishedFailed(event, failure, error, incarnation);
      return;
    }
    books.attempted(event);
    this.#settle(event, 'failed', incarnation, failure.durationMs);
    journal.failure(error, incarnation, event);
    event.waiter.refused(error);
  }

  #failureError({ code, error, issues }: EventFailure): HostError {
    const cause = causeOf(error, this.#deps.redact);
    if (code === 'payload_invalid')
      return new HostError('payload_invalid', `The event does not fit its payload schema: ${causeText(cause)}.`, {
        issues: issues ?? [],
      });
    return new HostError('dispatch_failed', `The handler failed: ${causeText(cause)}`, { cause });
  }

  /** Its sender was told only that it was accepted: it is tried again, or kept as a dead letter. */
  #publishedFailed(
    event: QueuedEvent,
    { code, permanent, afterMs, durationMs }: EventFailure,
    error: HostError,
    incarnation: number,
  ): void {
    const { books, journal, retries, clock } = this.#deps;
    const retry = this.#deps.retry();
    if (code === 'payload_invalid') books.attempted(event);
    else books.lost(event, 'threw', incarnation, durationMs);
    const story = [...event.story, this.#chapter(event, error, incarnation)];
    journal.failure(error, incarnation, event);
    if (code === 'payload_invalid' || permanent === true || story.length >= retry.maxAttempts) {
      this.#bury(
        event,
        story,
        code === 'payload_invalid' ? code : permanent === true ? 'permanent' : 'attempts',
        incarnation,
      );
      return;
    }
    const attempt = event.attempt + 1;
    const delayMs = afterMs ?? retryDelayMs(retry, story.length);
    const retryAtMs = clock.wallMs() + delayMs;
    const retryAt = new Date(retryAtMs).toISOString();
    retries.wait(this.#moved({ ...event, attempt, story }, retryAtMs), delayMs, retry.order === 'hold');
    const message = `The event will be tried again at ${timeText(retryAt)} (attempt ${String(story.length + 1)} of ${String(retry.maxAttempts)}).`;
    journal.told('info', 'retried', message, incarnation, { ...idsOf(event), attempt, retryAt });
  }

  /**
   * Returns the event as it comes again, if it does. `goesOn`: an incarnation will take it without the operator's help.
   */
  timedOut(event: QueuedEvent, error: HostError, incarnation: number, goesOn: boolean): QueuedEvent | undefined {
    const { ranMs } = error.details;
    this.#deps.books.lost(event, 'timedOut', incarnation, typeof ranMs === 'number' ? ranMs : undefined);
    return this.#lost(event, error, incarnation, goesOn);
  }

  crashed(event: QueuedEvent, error: HostError, incarnation: number, goesOn: boolean): QueuedEvent | undefined {
    this.#deps.books.lost(event, 'crashed', incarnation);
    return this.#lost(event, error, incarnation, goesOn);
  }

  /**
   * The event was cut off because the service stops. That is no fault of the event's and uses up no attempt: it comes
   * again after the next start. A caller that waits is told now, unless the service comes back at once.
   */
  cutOff(event: QueuedEvent, incarnation: number, goesOn: boolean): QueuedEvent | undefined {
    const { books, intake, journal } = this.#deps;
    books.attempted(event);
    if (event.waiter !== undefined && !goesOn) {
      intake.discard(
        [event],
        'service_stopped',
        new HostError('service_stopped', 'The service was stopped while it handled the event.', {
          began: true,
          attempt: event.attempt,
        }),
      );
      return undefined;
    }
    const attempt = event.attempt + 1;
    journal.note(
      'info',
      'cut_off',
      `The stop cut the event off while it was handled; it comes again as attempt ${String(attempt)}.`,
      incarnation,
      { ...idsOf(event), attempt },
    );
    return this.#moved({ ...event, attempt });
  }

  timeoutError(event: QueuedEvent, ranMs: number, timeoutMs: number, where: Whereabouts): HostError {
    const place = whereText(where);
    return new HostError(
      'dispatch_timeout',
      `The handler did not finish within ${String(timeoutMs)} ms${place === '' ? '' : `: ${place}`}; its cell is ended.`,
      { phase: 'running', timeoutMs, ranMs: Math.round(ranMs), attempt: event.attempt, where },
    );
  }

  crashError(end: CellEnd, duringEvent: boolean): HostError {
    const cause = causeOf(end.error, this.#deps.redact);
    const message = duringEvent
      ? `The cell ended while it handled the event: ${causeText(cause)}`
      : endOutsideText(end.reason, 'event', cause);
    return new HostError('cell_crashed', message, { reason: end.reason, exitCode: end.exitCode, cause });
  }

  #settle(event: QueuedEvent, outcome: Outcome, incarnation: number, handlerMs?: number): number {
    const sinceMs = this.#deps.books.settled(event, outcome, incarnation, handlerMs);
    this.#deps.kept?.done(event);
    // A dead letter is written first.
    if (outcome !== 'deadLettered') event.origin?.done();
    this.#deps.intake.roomFreed();
    return sinceMs;
  }

  /** A delivery that ended without an outcome: the event comes again, or its attempts are used up. */
  #lost(event: QueuedEvent, error: HostError, incarnation: number, goesOn: boolean): QueuedEvent | undefined {
    const { intake, journal } = this.#deps;
    const story = [...event.story, this.#chapter(event, error, incarnation)];
    // The caller is told what happened and nothing takes the event up by itself: however many attempts it may have,
    // this was the last.
    if (event.waiter !== undefined && !goesOn) {
      journal.failure(error, incarnation, event);
      intake.discard([event], intake.stopping ? 'service_stopped' : 'service_failed', error);
      return undefined;
    }
    const { maxAttempts } = this.#deps.retry();
    if (story.length < maxAttempts) {
      journal.failure(error, incarnation, event);
      const attempt = event.attempt + 1;
      const words = goesOn ? 'The event comes again' : 'The event stays queued for the next start';
      journal.note(
        'info',
        'retried',
        `${words}: attempt ${String(story.length + 1)} of ${String(maxAttempts)}.`,
        incarnation,
        { ...idsOf(event), attempt },
      );
      return this.#moved({ ...event, attempt, story });
    }
    journal.failure(error, incarnation, event);
    const deadLetter = this.#bury(event, story, 'attempts', incarnation);
    event.waiter?.refused(
      new HostError(error.code, error.message, { ...error.details, attempts: story.length, deadLetter }),
    );
    return undefined;
  }

  /**
   * An event that comes out of the cluster. True: another attempt is of no use, and it is a dead letter at once. It was
   * accepted for another version of the plugin (`unfit`), or its attempts are used up.
   */
  isBuriedOnArrival(event: QueuedEvent, unfit: HostError | undefined): boolean {
    if (unfit === undefined && event.story.length < this.#deps.retry().maxAttempts) return false;
    this.#deps.books.accepted();
    if (unfit === undefined) this.buryUsedUp(event);
    else this.#bury(event, [...event.story, this.#chapter(event, unfit, 0)], 'event_invalid', 0);
    return true;
  }

  /** It took the daemons down that handled it. */
  buryUsedUp(event: QueuedEvent): void {
    this.#bury(event, [...event.story], 'attempts', 0);
  }

  /** Returns the id of the dead letter. */
  #bury(event: QueuedEvent, story: AttemptStory[], reason: DeadLetterReason, incarnation: number): string {
    const letter = this.#letter(event, story, reason);
    this.#settle(event, 'deadLettered', incarnation);
    this.#deps.journal.told('warn', 'deadLettered', deathText(reason, story.length), incarnation, {
      ...idsOf(event),
      deadLetter: letter.id,
      reason,
    });
    // The event ends and the letter begins in one transaction.
    const { kept } = this.#deps;
    const { origin } = event;
    const gathered = event.place !== undefined && kept !== undefined;
    const changes = this.#deps.deadLetters.add(letter, gathered);
    kept?.include(changes);
    if (origin !== undefined) void this.#writeFirst(origin);
    return letter.id;
  }

  /** The event goes from where it waits once its dead letter is there; else it comes again to the next instance. */
  async #writeFirst(origin: EventOrigin): Promise<void> {
    if (await this.#deps.deadLetters.written()) origin.done();
  }

  /** It comes again as it is now, also from the disk. */
  #moved(event: QueuedEvent, retryAtMs?: number): QueuedEvent {
    this.#deps.kept?.moved(event, retryAtMs);
    if (event.story.length > 0) event.origin?.attempted(event.story);
    return event;
  }

  #chapter(event: QueuedEvent, error: HostError, incarnation: number): AttemptStory {
    const { cause, where } = error.details as { cause?: PluginError; where?: Whereabouts };
    const place = where === undefined ? '' : whereText(where);
    // What ran past its deadline threw nothing: where it was then is its stack.
    const stack =
      (cause === undefined ? undefined : causeStack(cause)) ??
      (where === undefined ? undefined : stackText(`${error.code}: ${error.message}`, where));
    return {
      attempt: event.attempt,
      at: new Date(this.#deps.clock.wallMs()).toISOString(),
      incarnation,
      error: {
        code: error.code,
        message: error.message,
        ...(stack === undefined ? {} : { stack }),
        ...(place === '' ? {} : { where: place }),
      },
    };
  }

  #letter(event: QueuedEvent, attempts: AttemptStory[], reason: DeadLetterReason): DeadLetterWithEvent {
    const sent = { ...wholeEvent(event), attempt: 1 };
    const { ingress, kind, source, createdAt, correlationId, eventId } = sent;
    const deadAt = new Date(this.#deps.clock.wallMs()).toISOString();
    return {
      id: uuidv7(),
      reason,
      eventId,
      correlationId,
      ingress,
      kind,
      source,
      createdAt,
      deadAt,
      attempts,
      replayOf: event.replayOf ?? null,
      bytes: event.bytes,
      event: sent,
    };
  }
}

function deathText(reason: DeadLetterReason, attempts: number): string {
  switch (reason) {
    case 'permanent':
      return `The event is a dead letter after ${plural(attempts, 'attempt')}: its handler says that another attempt would be of no use.`;
    case 'payload_invalid':
      return 'The event is a dead letter: it does not fit its payload schema, so it is not tried again.';
    case 'event_invalid':
      return 'The event is a dead letter: the service on this member declares no such event.';
    default:
      return `The event is a dead letter after ${plural(attempts, 'attempt')}.`;
  }
}
