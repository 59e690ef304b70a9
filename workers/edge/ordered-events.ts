// Events of a source whose sender does not send again: they go to the host one after the other, and one that finds no
// room is offered until there is. Whoever fills it looks at `waiting` and stops reading.
import type { EdgeAnswer } from '../../protocol/edge/messages.ts';
import type { DriverContext, SourceEvent } from './driver.ts';
import { laterCodes } from './later-codes.ts';

interface Waiting {
  readonly event: SourceEvent;
  readonly settled: (answer: EdgeAnswer) => void;
}

const leastRetryMs = 20;
const mostRetryMs = 1000;

export class OrderedEvents {
  readonly #context: DriverContext;
  readonly #drained: () => void;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #isSending = false;
  #isClosed = false;
  #retry: NodeJS.Timeout | undefined;
  #stopAwaiting: (() => void) | undefined;

  /** `drained` is called each time the last one that waited is settled. */
  constructor(context: DriverContext, drained: () => void) {
    this.#context = context;
    this.#drained = drained;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Of the payloads that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `settled` is called when it is accepted, or refused for good. */
  add(event: SourceEvent, settled: (answer: EdgeAnswer) => void = () => undefined): void {
    this.#waiting.push({ event, settled });
    this.#bytes += event.payload.length;
    this.#next();
  }

  /** What is refused because the service does not run may be taken now. */
  hurry(): void {
    if (this.#retry === undefined) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#next();
  }

  /** What waits is dropped: nothing of it is settled any more. One that is on its way may still be accepted. */
  clear(): void {
    this.#waiting = [];
    this.#bytes = 0;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#stopAwaiting?.();
    this.#stopAwaiting = undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.clear();
  }

  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined || this.#isClosed || this.#isSending || this.#retry !== undefined) return;
    if (this.#context.full) {
      this.#stopAwaiting ??= this.#context.whenRoom(() => {
        this.#stopAwaiting = undefined;
        this.#next();
      });
      return;
    }
    this.#isSending = true;
    void this.#context
      .send({ ...first.event, patient: true }, laterCodes)
      .then((answer) => this.#answered(first, answer));
  }

  #answered(first: Waiting, answer: EdgeAnswer): void {
    this.#isSending = false;
    if (this.#isClosed) return;
    // It was dropped meanwhile.
    if (this.#waiting[0] !== first) return this.#next();
    if (answer.outcome === 'refused' && laterCodes.includes(answer.code)) {
      const delayMs = Math.min(mostRetryMs, Math.max(leastRetryMs, answer.retryAfterMs ?? mostRetryMs));
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.#next();
      }, delayMs);
      return;
    }
    this.#waiting.shift();
    this.#bytes -= first.event.payload.length;
    first.settled(answer);
    if (this.#waiting.length === 0) this.#drained();
    else this.#next();
  }
}
