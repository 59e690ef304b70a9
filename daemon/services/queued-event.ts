// An accepted event on its way: kept as the JSON text it will travel in, so that its size is known and nothing can
// change it.
import type { AttemptStory } from '../../protocol/dead-letter.ts';
import type { HostError } from '../../protocol/errors.ts';

export interface Handled {
  readonly correlationId: string;
  readonly attempt: number;
  /** The handler's output as JSON text. */
  readonly json: string;
  readonly queuedMs: number;
  readonly durationMs: number;
}

/** Somebody waits for this event's outcome; told exactly once. */
export interface Waiter {
  handled(outcome: Handled): void;
  refused(error: HostError): void;
}

export interface QueuedEvent {
  readonly correlationId: string;
  readonly attempt: number;
  readonly json: string;
  readonly bytes: number;
  /** On the clock the cells share. */
  readonly acceptedMs: number;
  readonly waiter?: Waiter | undefined;
  /** Deliveries of it that ended without an outcome. */
  readonly story: readonly AttemptStory[];
  /** The dead letter it is a replay of. */
  readonly replayOf?: string | undefined;
}
