// An accepted event on its way. Its payload is kept as JSON text, so that its size is known, nothing can change it, and
// the host passes it on without ever building it.
import type { OutputJson } from '../../protocol/cell/messages.ts';
import type { AttemptStory } from '../../protocol/dead-letter.ts';
import type { HostError } from '../../protocol/errors.ts';
import type { IngressEvent } from '../../protocol/event.ts';

export interface Handled {
  readonly eventId: string;
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

/** By which an event is told apart, and by which its sender knows it. */
export interface EventIds {
  /** The host's own: no other event has the same. */
  readonly eventId: string;
  /** The sender's: several events may share one. */
  readonly correlationId: string;
}

/** Where an event came from that waits elsewhere until it has had its outcome. */
export interface EventOrigin {
  /** Its place there. */
  readonly sequence: number;
  /** It is no longer this daemon's: what became of it here counts for nothing. */
  isOver(): boolean;
  /** Another attempt follows, here or where it comes to next. */
  attempted(story: readonly AttemptStory[]): void;
  /** It has had it, for good. */
  done(): void;
}

export interface QueuedEvent extends EventIds {
  readonly head: EventHead;
  readonly payload: string;
  readonly attempt: number;
  /** Of the whole event as JSON text. */
  readonly bytes: number;
  /** On the clock the cells share. */
  readonly acceptedMs: number;
  readonly waiter?: Waiter | undefined;
  /** Deliveries of it that ended without an outcome. */
  readonly story: readonly AttemptStory[];
  /** How many events led to it by outputs, one after the other; absent: none. */
  readonly hops?: number | undefined;
  /** The dead letter it is a replay of. */
  readonly replayOf?: string | undefined;
  /** Where it lies in the store; undefined for an event that is kept in memory alone. */
  readonly place?: number | undefined;
  /** By which its sender has it accepted once, however often it is sent. */
  readonly idempotencyKey?: string | undefined;
  /** Undefined for an event that waits nowhere but here. */
  readonly origin?: EventOrigin | undefined;
  /** Its sender's: events with the same are handled in order by services that the members of a cluster share. */
  readonly key?: string | undefined;
  /** Of such a service, to which it belongs. */
  readonly partition?: number | undefined;
}

export const idsOf = ({ eventId, correlationId }: EventIds): EventIds => ({ eventId, correlationId });

/** As its plugin gets it. The payload was checked to be JSON when the event came. */
export function wholeEvent({
  head: { ingress, kind, source, createdAt },
  payload,
  attempt,
  correlationId,
  eventId,
}: QueuedEvent): IngressEvent {
  return { ingress, kind, source, payload: JSON.parse(payload) as unknown, createdAt, attempt, correlationId, eventId };
}

/** What stands around the texts of an event and its attempt. */
const frameBytes =
  '{"ingress":"","kind":"","source":"","payload":,"createdAt":"","attempt":,"correlationId":"","eventId":""}'.length;

/**
 * Of an event as it is accepted. The names and ids hold no character that takes more than one byte, or that JSON would
 * escape.
 */
export function eventBytes(
  { ingress, kind, source, createdAt }: EventHead,
  payloadBytes: number,
  { eventId, correlationId }: EventIds,
): number {
  return (
    frameBytes +
    firstAttemptBytes +
    ingress.length +
    kind.length +
    source.length +
    createdAt.length +
    payloadBytes +
    correlationId.length +
    eventId.length
  );
}

const firstAttemptBytes = '1'.length;
