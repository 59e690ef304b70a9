// Answers that were given under a key of the caller's choice, so that the same request again gets the same answer. The
// newest so many are kept: what is forgotten is done again when it comes again.
import { createHash } from 'node:crypto';
import { HostError } from '../../protocol/errors.ts';

interface Kept<Answer> {
  /** Of the request. */
  readonly digest: string;
  readonly answer: Answer;
}

export interface KeptAnswer<Answer> extends Kept<Answer> {
  readonly key: string;
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
    throw keyReused(this.#field);
  }

  keep(key: string | undefined, request: unknown, answer: Answer): void {
    if (key !== undefined) this.restore({ key, digest: digestOf(request), answer });
  }

  /** What an earlier daemon kept, oldest first. */
  restore({ key, digest, answer }: KeptAnswer<Answer>): void {
    this.#kept.set(key, { digest, answer });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#capacity) break;
      this.#kept.delete(oldest);
    }
  }

  /** Oldest first. */
  entries(): KeptAnswer<Answer>[] {
    return [...this.#kept].map(([key, kept]) => ({ key, ...kept }));
  }

  /** Undefined where nothing is kept. */
  get oldest(): Answer | undefined {
    for (const { answer } of this.#kept.values()) return answer;
    return undefined;
  }

  forget(gone: (answer: Answer) => boolean): void {
    for (const [key, { answer }] of this.#kept) if (gone(answer)) this.#kept.delete(key);
  }
}

export function keyReused(field: string): HostError {
  const message = 'was used for another request; choose a new one';
  return new HostError('invalid_request', `This ${field} ${message}.`, { issues: [{ path: field, message }] });
}

export const digestOf = (request: unknown): string =>
  createHash('sha256').update(JSON.stringify(request)).digest('base64');
