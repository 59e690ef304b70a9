// A batch's events as one JSON text, which is cheaper to pass than its objects: for each event its id and its payload,
// and before those of the same origin the head they share. Where an event's correlation id is not its event id, both
// stand there, as a pair. Written by the host, read by the cell.
import type { IngressEvent } from '../event.ts';

/** Ingress, kind, source, the time of creation and the attempt, for all events up to the next head. */
type Head = readonly [
  ingress: string,
  kind: string,
  source: string,
  createdAt: string,
  attempt: number,
  partition?: number,
];

/** The two ids of an event are shorter. */
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
  /** Of a service that the members of a cluster share. */
  readonly partition?: number | undefined;
}

export class BatchText {
  readonly #pieces: string[] = [];
  #head: EventParts | undefined;
  #attempt = 0;
  #partition: number | undefined;

  /**
   * `head` is looked at by its identity. Names and ids hold nothing that JSON would escape; the payload is JSON text.
   */
  add({ head, attempt, eventId, correlationId, payload, partition }: BatchedEvent): void {
    if (head !== this.#head || attempt !== this.#attempt || partition !== this.#partition) {
      this.#head = head;
      this.#attempt = attempt;
      this.#partition = partition;
      const last = partition === undefined ? '' : `,${String(partition)}`;
      this.#pieces.push(
        `["${head.ingress}","${head.kind}","${head.source}","${head.createdAt}",${String(attempt)}${last}]`,
      );
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

  /** Of the event that `next` has answered last; undefined where the service is not shared. */
  get partition(): number | undefined {
    return this.#head[5];
  }

  next(): IngressEvent {
    let item = this.#items[this.#at++] as string | Ids | Head;
    if (typeof item !== 'string' && item.length >= headLength) {
      // It is no pair of ids.
      this.#head = item as Head;
      item = this.#items[this.#at++] as string | Ids;
    }
    const eventId = typeof item === 'string' ? item : item[0];
    const correlationId = typeof item === 'string' ? item : item[1];
    const [ingress, kind, source, createdAt, attempt] = this.#head;
    return { ingress, kind, source, payload: this.#items[this.#at++], createdAt, attempt, correlationId, eventId };
  }
}
