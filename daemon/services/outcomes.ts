// What becomes of each event that a cell had: the one place that turns what the lane tells into an outcome in the
// books, a line in the journal and the answer to whoever waits.
import type { EventFailure, EventOutput } from '../../protocol/cell/messages.ts';
import { HostError } from '../../protocol/errors.ts';
import type { CellEnd } from '../cells/cell.ts';
import { type Redact, causeOf } from './cause.ts';
import type { Intake } from './intake.ts';
import type { QueuedEvent } from './queued-event.ts';

export class Outcomes {
  readonly #intake: Intake;
  readonly #redact: Redact;

  constructor(intake: Intake, redact: Redact) {
    this.#intake = intake;
    this.#redact = redact;
  }

  handled(event: QueuedEvent, output: EventOutput | undefined): void {
    this.#intake.ledger.attempt('dispatched');
    const sinceMs = this.#intake.settle(event, 'handled');
    if (output === undefined) {
      event.waiter?.refused(new HostError('cell_crashed', 'The event was handled, but its cell ended before the answer was out.', { handled: true }));
      return;
    }
    const { correlationId, attempt } = event;
    event.waiter?.handled({ correlationId, attempt, json: output.json, durationMs: output.durationMs, queuedMs: Math.max(0, sinceMs - output.durationMs) });
  }

  failed(event: QueuedEvent, failure: EventFailure, incarnation: number): void {
    this.#intake.ledger.attempt('dispatched');
    const cause = causeOf(failure.error, this.#redact);
    const error =
      failure.code === 'invalid_event'
        ? new HostError('invalid_event', `The event does not fit its payload schema: ${cause.message}.`, { issues: failure.issues ?? [] })
        : new HostError('dispatch_failed', `The handler failed: ${cause.message}`, { cause });
    this.#intake.fail(event, error, incarnation);
  }

  timedOut(event: QueuedEvent, ranMs: number, timeoutMs: number, incarnation: number): HostError {
    this.#intake.ledger.attempt('dispatched');
    this.#intake.ledger.attempt('timedOut');
    const error = new HostError('dispatch_timeout', `The handler did not finish within ${String(timeoutMs)} ms; its cell is ended.`, {
      phase: 'running',
      timeoutMs,
      ranMs: Math.round(ranMs),
      attempt: event.attempt,
    });
    this.#intake.fail(event, error, incarnation);
    return error;
  }

  crashed(event: QueuedEvent, end: CellEnd, incarnation: number): void {
    this.#intake.ledger.attempt('dispatched');
    this.#intake.ledger.attempt('crashed');
    this.#intake.fail(event, this.crashError(end, true), incarnation);
  }

  /** The cell was ended because the service stops: no fault of the event's. */
  cutOff(event: QueuedEvent): void {
    this.#intake.ledger.attempt('dispatched');
    this.#intake.discard([event], 'service_stopped');
  }

  crashError(end: CellEnd, duringEvent: boolean): HostError {
    const cause = causeOf(end.error, this.#redact);
    const when = duringEvent ? 'while it handled the event' : 'between two events';
    return new HostError('cell_crashed', `The cell ended ${when}: ${cause.message}`, { reason: end.reason, exitCode: end.exitCode, cause });
  }
}
