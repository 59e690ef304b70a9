// An accepted event on its way. Its payload is kept as JSON text, so that its size is known, nothing can change it, and the
// host passes it on without ever building it.
import type { OutputJson } from '../../protocol/cell/messages.ts';
import type { AttemptStory } from '../../protocol/dead-letter.ts';
import type { HostError } from '../../protocol/errors.ts';
import type { IngressEvent } from '../../protocol/event.ts';

export interface Handled {
  readonly correlationId: string;
  readonly attempt: number;
  /** The handler's output. */
  readonly json: OutputJson;
  readonly queuedMs: number;
  readonly durationMs: number;
}

/** Somebody waits for this event's outcome; told exactly once. */
export interface Waiter {
  handled(outcome: Handled): void;
  refused(error: HostError): void;
}

/** What the events of one sender and one moment have in common: they share one of these. */
export interface EventHead {
  readonly ingress: string;
  readonly kind: string;
  readonly source: string;
  readonly createdAt: string;
}

export interface QueuedEvent {
  readonly head: EventHead;
  readonly payload: string;
  readonly correlationId: string;
  readonly attempt: number;
  /** Of the whole event as JSON text. */
  readonly bytes: number;
  /** On the clock the cells share. */
  readonly acceptedMs: number;
  readonly waiter?: Waiter | undefined;
  /** Deliveries of it that ended without an outcome. */
  readonly story: readonly AttemptStory[];
  /** The dead letter it is a replay of. */
  readonly replayOf?: string | undefined;
}

/** As its plugin gets it. The payload was checked to be JSON when the event came. */
export function wholeEvent({ head: { ingress, kind, source, createdAt }, payload, attempt, correlationId }: QueuedEvent): IngressEvent {
  return { ingress, kind, source, payload: JSON.parse(payload) as unknown, createdAt, attempt, correlationId };
}

/** What stands around the five texts of an event and its attempt. */
const frameBytes = '{"ingress":"","kind":"","source":"","payload":,"createdAt":"","attempt":,"correlationId":""}'.length;

/** The names and ids hold no character that takes more than one byte, or that JSON would escape. */
export function eventBytes({ ingress, kind, source, createdAt }: EventHead, payloadBytes: number, attempt: number, correlationId: string): number {
  return frameBytes + ingress.length + kind.length + source.length + createdAt.length + payloadBytes + digitsOf(attempt) + correlationId.length;
}

const digitsOf = (attempt: number): number => (attempt < 10 ? 1 : String(attempt).length);
