// An event as it is published into a stream of the cluster.
import { createHash } from 'node:crypto';
import type { StreamedHead } from '../../protocol/cluster/messages.ts';
import type { EventIds, QueuedEvent } from '../dispatch/queued-event.ts';

export interface StreamedMessage extends EventIds {
  readonly body: string;
}

export function streamedMessage(plugin: string, event: QueuedEvent): StreamedMessage {
  const { idempotencyKey } = event;
  const eventId = idempotencyKey === undefined ? event.eventId : keyedId(plugin, idempotencyKey);
  const correlationId = event.correlationId === event.eventId ? eventId : event.correlationId;
  const head: StreamedHead = {
    eventId,
    correlationId,
    ...event.head,
    ...(event.hops === undefined ? {} : { hops: event.hops }),
    ...(event.replayOf === undefined ? {} : { replayOf: event.replayOf }),
  };
  return { eventId, correlationId, body: `${JSON.stringify(head)}\n${event.payload}` };
}

/** The same for each event under the same key, so that a repetition is answered with the first one's id. */
function keyedId(plugin: string, key: string): string {
  const hex = createHash('sha256').update(`${plugin} ${key}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
