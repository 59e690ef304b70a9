// An event as it is published into a stream of the cluster: a `StreamedHead` as JSON, and the payload on a line of its
// own. Ids and names hold no character that JSON would escape.
import { createHash } from 'node:crypto';
import type { EventIds, QueuedEvent } from '../dispatch/queued-event.ts';

export interface StreamedMessage extends EventIds {
  readonly body: string;
}

export function streamedMessage(plugin: string, event: QueuedEvent): StreamedMessage {
  const { idempotencyKey } = event;
  const eventId = idempotencyKey === undefined ? event.eventId : keyedId(plugin, idempotencyKey);
  const correlationId = event.correlationId === event.eventId ? eventId : event.correlationId;
  const { ingress, kind, source, createdAt } = event.head;
  const names = `"ingress":"${ingress}","kind":"${kind}","source":"${source}","createdAt":"${createdAt}"`;
  const head = `"eventId":"${eventId}","correlationId":"${correlationId}",${names}${moreOf(event)}`;
  return { eventId, correlationId, body: `{${head}}\n${event.payload}` };
}

/** What few events have. */
const moreOf = ({ hops, replayOf }: QueuedEvent): string =>
  (hops === undefined ? '' : `,"hops":${String(hops)}`) +
  (replayOf === undefined ? '' : `,"replayOf":${JSON.stringify(replayOf)}`);

/** The same for each event under the same key, so that a repetition is answered with the first one's id. */
function keyedId(plugin: string, key: string): string {
  const hex = createHash('sha256').update(`${plugin} ${key}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
