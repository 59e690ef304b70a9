// An event as the JSON text it will travel in. Names, sources and ids hold nothing that JSON would escape, so that only
// the payload is encoded; what the events of one moment share is made once.
import type { Clock } from '../clock.ts';

export interface TextParts {
  readonly ingress: string;
  readonly kind: string;
  readonly source: string;
  readonly payload: unknown;
  /** RFC 3339; absent: now. */
  readonly createdAt: string | undefined;
  readonly attempt: number;
  readonly correlationId: string;
}

export class EventText {
  readonly #clock: Pick<Clock, 'wallMs'>;
  #nowMs = NaN;
  #now = '';

  constructor(clock: Pick<Clock, 'wallMs'>) {
    this.#clock = clock;
  }

  /** Throws where the payload cannot be written as JSON. */
  of({ ingress, kind, source, payload, createdAt, attempt, correlationId }: TextParts): string {
    const at = createdAt === undefined ? this.#present() : new Date(createdAt).toISOString();
    return `{"ingress":"${ingress}","kind":"${kind}","source":"${source}","payload":${JSON.stringify(payload ?? null)},"createdAt":"${at}","attempt":${String(attempt)},"correlationId":"${correlationId}"}`;
  }

  /** The text of a millisecond is made once. */
  #present(): string {
    const nowMs = this.#clock.wallMs();
    if (nowMs !== this.#nowMs) {
      this.#nowMs = nowMs;
      this.#now = new Date(nowMs).toISOString();
    }
    return this.#now;
  }
}
