// What is told of a service: its last error, its newest diagnostics, its timeline and the live feed. One place, so
// that nothing is told in one of them and forgotten in another.
import { isPlainError } from '../../protocol/cell/plain-error.ts';
import type { HostError } from '../../protocol/errors.ts';
import type { TimelineEntry } from '../../protocol/operations/telemetry.ts';
import type { Diagnostic, Lifecycle, RecordedError } from '../../protocol/status.ts';
import { plural, sentence } from '../../protocol/plural.ts';
import { type FailureOutlets, tellFailure } from './tell-failure.ts';
import type { Clock } from '../time/clock.ts';
import { causeStack } from '../dispatch/plugin-error.ts';
import { type EventIds, idsOf } from '../dispatch/queued-event.ts';
import type { LifecycleCause } from './lifecycle.ts';
import type { KeptEvents } from './stop-order.ts';

type Entry = Omit<TimelineEntry, 'sequence' | 'at'>;

export interface JournalOutlets extends FailureOutlets {
  /** The service has failed; what is told of why has been told. */
  failed?(): void;
}

export class Journal {
  readonly #pluginId: string;
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #outlets: JournalOutlets;
  readonly #diagnostics: Diagnostic[] = [];
  /** How often the newest diagnostic has come in a row: a flood of one refusal must not wash out the rest. */
  #repeats = 1;
  #newestText = '';
  #lastError: RecordedError | null = null;
  #lastFailure: RecordedError | null = null;

  constructor(pluginId: string, capacity: number, clock: Clock, outlets: JournalOutlets) {
    this.#pluginId = pluginId;
    this.#capacity = capacity;
    this.#clock = clock;
    this.#outlets = outlets;
  }

  get lastError(): RecordedError | null {
    return this.#lastError;
  }

  /** The newest that was a failure of the service, and no mere refusal. */
  get lastFailure(): RecordedError | null {
    return this.#lastFailure;
  }

  get diagnostics(): Diagnostic[] {
    return [...this.#diagnostics];
  }

  transition(from: Lifecycle, to: Lifecycle, cause: LifecycleCause, incarnation: number): void {
    const message = `${from} → ${to} (${cause})`;
    this.#tell({
      level: to === 'failed' ? 'error' : 'info',
      event: to,
      message,
      incarnation,
      data: { from, to, cause },
    });
    this.#outlets.log(to === 'failed' ? 'error' : 'info', `service ${message}`, { incarnation });
    this.#outlets.feed({
      topic: 'lifecycle',
      at: this.#now(),
      plugin: this.#pluginId,
      data: { from, to, cause, incarnation },
    });
    if (to === 'failed') this.#outlets.failed?.();
  }

  /** Something of the service failed: an event, its cell, its start or stop. */
  failure(error: HostError, incarnation: number, event?: EventIds): void {
    const stack = stackOf(error);
    const ids = event === undefined ? {} : idsOf(event);
    this.#remember(error, ids, stack);
    this.#lastFailure = this.#lastError;
    this.#keep({ level: 'error', event: error.code, message: error.message, incarnation, ...ids });
    tellFailure(this.#outlets, error, { pluginId: this.#pluginId, at: this.#now(), incarnation, ids, stack });
  }

  /** Somebody was refused: visible, but no failure of the service. */
  rejection(error: HostError, incarnation: number): void {
    this.#remember(error);
    if (this.#tell({ level: 'warn', event: error.code, message: error.message, incarnation }))
      this.#outlets.log('warn', error.message, { incarnation, code: error.code });
  }

  /** New code did not start, and the old code goes on or comes back: visible, but no failure of the service. */
  reloadFailed(what: string, error: HostError, incarnation: number): void {
    const stack = stackOf(error);
    const message = `${what}: ${sentence(error.message)}`;
    this.#remember(error, {}, stack);
    this.note('warn', 'reload_failed', message, incarnation);
    this.#outlets.log('warn', message, { incarnation, code: error.code, ...(stack === undefined ? {} : { stack }) });
  }

  /** What became of the events that waited when the service was stopped, restarted or reloaded. */
  tally(
    asked: 'stopped' | 'restarted' | 'reloaded' | 'discarded',
    { kept, discarded }: KeptEvents,
    incarnation: number,
  ): void {
    const message = tallyText(asked, kept, discarded);
    this.note(discarded > 0 ? 'warn' : 'info', 'events_kept', message, incarnation, { kept, discarded });
    this.#outlets.log(discarded > 0 ? 'warn' : 'info', message, { incarnation, kept, discarded });
  }

  note(
    level: 'info' | 'warn' | 'error',
    event: string,
    message: string,
    incarnation: number,
    data?: Readonly<Record<string, unknown>>,
  ): void {
    this.#tell({ level, event, message, incarnation, ...(data === undefined ? {} : { data }) });
  }

  /** As `note`, and in the plugin's log as well. */
  told(
    level: 'info' | 'warn' | 'error',
    event: string,
    message: string,
    incarnation: number,
    data: Readonly<Record<string, unknown>>,
  ): void {
    this.note(level, event, message, incarnation, data);
    this.#outlets.log(level, message, { incarnation, ...data });
  }

  #remember(error: HostError, ids: Partial<EventIds> = {}, stack?: string): void {
    this.#lastError = {
      code: error.code,
      message: error.message,
      at: this.#now(),
      ...ids,
      ...(stack === undefined ? {} : { stack }),
    };
  }

  /** False when it only repeats the newest entry, which then counts it. */
  #tell(entry: Entry): boolean {
    const { data: _data, ...rest } = entry;
    const isNew = this.#keep(rest);
    if (isNew) this.#outlets.timeline(entry);
    return isNew;
  }

  /** Among the diagnostics. */
  #keep(entry: Omit<Diagnostic, 'at'>): boolean {
    const diagnostic: Diagnostic = { at: this.#now(), ...entry };
    const newest = this.#diagnostics.at(-1);
    if (
      newest !== undefined &&
      entry.level === 'warn' &&
      newest.event === entry.event &&
      newest.incarnation === entry.incarnation
    ) {
      this.#repeats += 1;
      this.#diagnostics[this.#diagnostics.length - 1] = {
        ...diagnostic,
        message: `${this.#newestText} (${plural(this.#repeats, 'time')})`,
      };
      return false;
    }
    this.#repeats = 1;
    this.#newestText = entry.message;
    this.#diagnostics.push(diagnostic);
    if (this.#diagnostics.length > this.#capacity) this.#diagnostics.shift();
    return true;
  }

  #now(): string {
    return new Date(this.#clock.wallMs()).toISOString();
  }
}

function tallyText(asked: 'stopped' | 'restarted' | 'reloaded' | 'discarded', kept: number, discarded: number): string {
  const events = (count: number): string => plural(count, 'event');
  if (asked === 'discarded')
    return `${plural(discarded, 'event that had been kept for the next start was', 'events that had been kept for the next start were')} discarded.`;
  const goesOn = asked === 'stopped' ? 'kept for the next start' : 'kept for the new incarnation';
  return `The service was ${asked}: ${events(kept)} ${goesOn}, ${String(discarded)} discarded.`;
}

function stackOf(error: HostError): string | undefined {
  const { cause } = error.details;
  return isPlainError(cause) ? causeStack(cause) : undefined;
}
