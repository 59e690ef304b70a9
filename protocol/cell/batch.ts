// A batch's events as one JSON text, which is cheaper to pass than its objects: for each event its correlation id and its
// payload, and before those of the same origin the head they share. Written by the host, read by the cell.
import type { IngressEvent } from '../event.ts';

/** Ingress, kind, source, the time of creation and the attempt, for all events up to the next head. */
type Head = readonly [ingress: string, kind: string, source: string, createdAt: string, attempt: number];

export interface EventParts {
  readonly ingress: string;
  readonly kind: string;
  readonly source: string;
  readonly createdAt: string;
}

export class BatchText {
  readonly #pieces: string[] = [];
  #head: EventParts | undefined;
  #attempt = 0;

  /** `head` is looked at by its identity. Names and ids hold nothing that JSON would escape; the payload is JSON text. */
  add(head: EventParts, attempt: number, correlationId: string, payload: string): void {
    if (head !== this.#head || attempt !== this.#attempt) {
      this.#head = head;
      this.#attempt = attempt;
      this.#pieces.push(`["${head.ingress}","${head.kind}","${head.source}","${head.createdAt}",${String(attempt)}]`);
    }
    this.#pieces.push(`"${correlationId}"`, payload);
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
    let item = this.#items[this.#at++];
    if (typeof item !== 'string') {
      this.#head = item as Head;
      item = this.#items[this.#at++];
    }
    const [ingress, kind, source, createdAt, attempt] = this.#head;
    return { ingress, kind, source, payload: this.#items[this.#at++], createdAt, attempt, correlationId: item as string };
  }
}
