// What a publisher is told of an event: that it is queued, or why not.
import type { HostError, WireError } from '../../protocol/errors.ts';

export interface Accepted {
  readonly accepted: true;
  /** It was accepted before, under the same idempotency key. */
  readonly duplicate?: true;
  readonly eventId: string;
  readonly correlationId: string;
  readonly queueDepth: number;
}

export interface Refused {
  readonly accepted: false;
  readonly error: WireError;
}

/** Told once an event is on disk, or why it is not accepted. */
export type Answered = (outcome: Accepted | HostError) => void;
