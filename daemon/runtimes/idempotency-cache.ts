// Answers that were given under a key of the caller's choice, so that the same request again gets the same answer. The
// newest so many are kept: what is forgotten is done again when it comes again.
import { createHash } from 'node:crypto';
import { HostError } from '../../protocol/errors.ts';

interface Kept<Answer> {
  readonly digest: string;
  readonly answer: Answer;
}

export class IdempotencyCache<Answer> {
  readonly #capacity: number;
  readonly #field: string;
  readonly #kept = new Map<string, Kept<Answer>>();

  /** `field` is the parameter that holds the key. */
  constructor(capacity: number, field: string) {
    this.#capacity = capacity;
    this.#field = field;
  }

  /** Undefined where the key is new; throws where it stood for another request. */
  find(key: string | undefined, request: unknown): Answer | undefined {
    const kept = key === undefined ? undefined : this.#kept.get(key);
    if (kept === undefined) return undefined;
    if (kept.digest === digestOf(request)) return kept.answer;
    const message = 'was used for another request; choose a new one';
    throw new HostError('invalid_request', `This ${this.#field} ${message}.`, {
      issues: [{ path: this.#field, message }],
    });
  }

  keep(key: string | undefined, request: unknown, answer: Answer): void {
    if (key === undefined) return;
    this.#kept.set(key, { digest: digestOf(request), answer });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#capacity) break;
      this.#kept.delete(oldest);
    }
  }

  forget(gone: (answer: Answer) => boolean): void {
    for (const [key, { answer }] of this.#kept) if (gone(answer)) this.#kept.delete(key);
  }
}

const digestOf = (request: unknown): string => createHash('sha256').update(JSON.stringify(request)).digest('base64');
