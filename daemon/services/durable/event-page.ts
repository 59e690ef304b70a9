// How events lie in the store: up to 64 in a page, which is one line of JSON with all but the payloads, and behind it
// the payloads as the texts they came in, so that the host neither builds them when it writes nor when it reads.
import type { AttemptStory } from '../../../protocol/dead-letter.ts';
import type { Clock } from '../../time/clock.ts';
import type { EventHead, QueuedEvent } from '../../dispatch/queued-event.ts';

export const mostEventsOfPage = 64;
/** One event may be larger, and is a page by itself then. */
export const mostPageLength = 512 * 1024;

type HeadParts = readonly [ingress: string, kind: string, source: string, createdAt: string];
type EventParts = readonly [
  head: number,
  eventId: string,
  /** 0: the event's own id. */
  correlationId: string | 0,
  payloadLength: number,
  bytes: number,
  attempt: number,
  idempotencyKey: string | 0,
  replayOf: string | 0,
  hops: number,
  story?: readonly AttemptStory[],
];
type Lines = readonly [acceptedAtMs: number, heads: readonly HeadParts[], events: readonly EventParts[]];

/** Ids and names hold nothing that JSON would escape. */
const quoted = (text: string | undefined): string => (text === undefined ? '0' : `"${text}"`);

/** All events of a page count as accepted when its first one was. */
export function encodePage(events: readonly QueuedEvent[], clock: Clock): string {
  let heads = '';
  let lines = '';
  let payloads = '';
  let head: EventHead | undefined;
  let headCount = 0;
  for (const event of events) {
    if (event.head !== head) {
      head = event.head;
      heads += `${headCount === 0 ? '' : ','}["${head.ingress}","${head.kind}","${head.source}","${head.createdAt}"]`;
      headCount += 1;
    }
    const { eventId, correlationId, payload, bytes, attempt, idempotencyKey, replayOf, hops = 0, story } = event;
    const told = story.length === 0 ? '' : `,${JSON.stringify(story)}`;
    lines += `${lines === '' ? '' : ','}[${String(headCount - 1)},"${eventId}",${
      correlationId === eventId ? '0' : `"${correlationId}"`
    },${String(payload.length)},${String(bytes)},${String(attempt)},${quoted(idempotencyKey)},${quoted(replayOf)},${String(hops)}${told}]`;
    payloads += payload;
  }
  const first = events[0]?.acceptedMs ?? clock.monotonicMs();
  const acceptedAtMs = Math.round(clock.wallMs() - (clock.monotonicMs() - first));
  return `[${String(acceptedAtMs)},[${heads}],[${lines}]]\n${payloads}`;
}

/** Throws for a text that is no page. */
export function decodePage(text: string, first: number, clock: Clock): QueuedEvent[] {
  const end = text.indexOf('\n');
  // Written by `encodePage`; the store has compared its checksum.
  const [acceptedAtMs, heads, lines] = JSON.parse(text.slice(0, end)) as Lines;
  const shared = heads.map(([ingress, kind, source, createdAt]) => ({ ingress, kind, source, createdAt }));
  const acceptedMs = clock.monotonicMs() - Math.max(0, clock.wallMs() - acceptedAtMs);
  let at = end + 1;
  return lines.map(([head, eventId, correlationId, length, bytes, attempt, key, replayOf, hops, story], index) => {
    const payload = text.slice(at, at + length);
    at += length;
    return {
      head: shared[head] as EventHead,
      payload,
      eventId,
      correlationId: correlationId === 0 ? eventId : correlationId,
      attempt,
      bytes,
      acceptedMs,
      waiter: undefined,
      story: story ?? [],
      replayOf: replayOf === 0 ? undefined : replayOf,
      hops: hops === 0 ? undefined : hops,
      idempotencyKey: key === 0 ? undefined : key,
      place: first + index,
    };
  });
}

/** Cut where a page is full. */
export function pagesOf(events: readonly QueuedEvent[]): QueuedEvent[][] {
  const pages: QueuedEvent[][] = [];
  let page: QueuedEvent[] = [];
  let length = 0;
  for (const event of events) {
    if (page.length === mostEventsOfPage || (page.length > 0 && length + event.bytes > mostPageLength)) {
      pages.push(page);
      page = [];
      length = 0;
    }
    page.push(event);
    length += event.bytes;
  }
  if (page.length > 0) pages.push(page);
  return pages;
}

/** An event that was moved out of its page, and when it is due; 0 where it comes at once. */
export interface MovedEvent {
  readonly event: QueuedEvent;
  readonly retryAtMs: number;
}

/** Where the clock was set back meanwhile, it waits from now on as long as it was to wait when its attempt failed. */
export function remainingMs({ event: { story }, retryAtMs }: MovedEvent, nowMs: number): number {
  const failedMs = Date.parse(story.at(-1)?.at ?? '');
  return retryAtMs - (failedMs > nowMs ? failedMs : nowMs);
}

export const encodeMoved = ({ event, retryAtMs }: MovedEvent, clock: Clock): string =>
  `${String(retryAtMs)}\n${encodePage([event], clock)}`;

export function decodeMoved(text: string, place: number, clock: Clock): MovedEvent | undefined {
  const end = text.indexOf('\n');
  const [event] = decodePage(text.slice(end + 1), place, clock);
  return event === undefined ? undefined : { event, retryAtMs: Number(text.slice(0, end)) };
}
