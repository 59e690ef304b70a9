// A batch's events as one JSON text, which is cheaper to pass than its objects: for each event its id and its payload,
// and before those of the same origin the head they share. Where an event's correlation id is not its event id, both
// stand there, as a pair. Written by the host, read by the cell.
import type { IngressEvent } from '../event.ts';

/** Ingress, kind, source, the time of creation and the attempt, for all events up to the next head. */
type Head = readonly [ingress: string, kind: string, source: string, createdAt: string, attempt: number];

const headLength = 5;

type Ids = readonly [eventId: string, correlationId: string];

export interface EventParts {
  readonly ingress: string;
  readonly kind: string;
  readonly source: string;
  readonly createdAt: string;
}

export interface BatchedEvent {
  readonly head: EventParts;
  readonly attempt: number;
  readonly eventId: string;
  readonly correlationId: string;
  readonly payload: string;
}

export class BatchText {
  readonly #pieces: string[] = [];
  #head: EventParts | undefined;
  #attempt = 0;

  /**
   * `head` is looked at by its identity. Names and ids hold nothing that JSON would escape; the payload is JSON text.
   */
  add({ head, attempt, eventId, correlationId, payload }: BatchedEvent): void {
    if (head !== this.#head || attempt !== this.#attempt) {
      this.#head = head;
      this.#attempt = attempt;
      this.#pieces.push(`["${head.ingress}","${head.kind}","${head.source}","${head.createdAt}",${String(attempt)}]`);
    }
    this.#pieces.push(eventId === correlationId ? `"${eventId}"` : `["${eventId}","${correlationId}"]`, payload);
  }

  toString(): string {
    return `[${this.#pieces.join(',')}]`;
  }
}

export class BatchEvents {
  readonly #items: readonly unknown[];
  #at = 0;
  #head: Head = ['', '', '', '', 1];

  /** `items`: the parsed text of a batch. */
  constructor(items: unknown) {
    this.#items = items as readonly unknown[];
  }

  next(): IngressEvent {
    let item = this.#items[this.#at++] as string | Ids | Head;
    if (typeof item !== 'string' && item.length === headLength) {
      this.#head = item;
      item = this.#items[this.#at++] as string | Ids;
    }
    const eventId = typeof item === 'string' ? item : item[0];
    const correlationId = typeof item === 'string' ? item : item[1];
    const [ingress, kind, source, createdAt, attempt] = this.#head;
    return { ingress, kind, source, payload: this.#items[this.#at++], createdAt, attempt, correlationId, eventId };
  }
}
