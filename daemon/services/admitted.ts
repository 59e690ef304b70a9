// What a publisher is told of an event: that it is queued, or why not.
import type { WireError } from '../../protocol/errors.ts';

export interface Accepted {
  readonly accepted: true;
  readonly eventId: string;
  readonly correlationId: string;
  readonly queueDepth: number;
}

export interface Refused {
  readonly accepted: false;
  readonly error: WireError;
}
