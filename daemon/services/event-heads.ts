// What the events of one sender and one moment share is made once: the head, and the text of a time, which is the
// dearest part of it.
import type { Clock } from '../time/clock.ts';
import type { EventHead } from '../dispatch/queued-event.ts';

export class EventHeads {
  readonly #clock: Pick<Clock, 'wallMs'>;
  #nowMs = NaN;
  #now = '';
  /** The time that was given last, as its sender wrote it, and as it is kept. */
  #given = '';
  #kept = '';
  #last: EventHead = { ingress: '', kind: '', source: '', createdAt: '' };

  constructor(clock: Pick<Clock, 'wallMs'>) {
    this.#clock = clock;
  }

  /** `createdAt`: RFC 3339; absent: now. */
  of(ingress: string, kind: string, source: string, createdAt: string | undefined): EventHead {
    const at = createdAt === undefined ? this.#present() : this.#ofSender(createdAt);
    const last = this.#last;
    if (at === last.createdAt && kind === last.kind && ingress === last.ingress && source === last.source) return last;
    this.#last = { ingress, kind, source, createdAt: at };
    return this.#last;
  }

  #ofSender(createdAt: string): string {
    if (createdAt !== this.#given) {
      this.#kept = new Date(createdAt).toISOString();
      this.#given = createdAt;
    }
    return this.#kept;
  }

  #present(): string {
    const nowMs = this.#clock.wallMs();
    if (nowMs !== this.#nowMs) {
      this.#nowMs = nowMs;
      this.#now = new Date(nowMs).toISOString();
    }
    return this.#now;
  }
}
