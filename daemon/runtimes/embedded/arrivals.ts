// Inputs that came and are not on disk yet. Who sends the same input again meanwhile waits for the first one's answer.
import type { HostError } from '../../../protocol/errors.ts';
import type { InputAnswer } from '../../../protocol/runtime.ts';
import { keyReused } from '../idempotency-cache.ts';
import type { InputRequest } from '../runtime.ts';
import type { OpenInput } from './worker-record.ts';

export interface Arrival {
  readonly input: Omit<OpenInput, 'sequence'>;
  readonly inputId: string | undefined;
  readonly answer: Promise<InputAnswer>;
  accepted(answer: InputAnswer): void;
  refused(error: HostError): void;
}

export class Arrivals {
  #waiting: Arrival[] = [];
  #written: readonly Arrival[] = [];

  get size(): number {
    return this.#waiting.length + this.#written.length;
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  add(input: Omit<OpenInput, 'sequence'>, inputId: string | undefined): Promise<InputAnswer> {
    let settle: Pick<Arrival, 'accepted' | 'refused'> | undefined;
    const answer = new Promise<InputAnswer>((accepted, refused) => {
      settle = { accepted, refused };
    });
    // The executor above has run by now.
    this.#waiting.push({
      input,
      inputId,
      answer,
      accepted: (given) => settle?.accepted(given),
      refused: (error) => settle?.refused(error),
    });
    return answer;
  }

  /** The answer that a repetition waits for; throws where the id stands for another input. */
  find({ inputId, kind, content }: InputRequest): Promise<InputAnswer> | undefined {
    if (inputId === undefined) return undefined;
    const first = [...this.#written, ...this.#waiting].find((arrival) => arrival.inputId === inputId);
    if (first === undefined) return undefined;
    if (first.input.kind !== kind || first.input.content !== content) throw keyReused('inputId');
    return first.answer;
  }

  /** All that wait are written now, until the next call. */
  take(): readonly Arrival[] {
    this.#written = this.#waiting;
    this.#waiting = [];
    return this.#written;
  }

  /** What was taken has been answered. */
  done(): void {
    this.#written = [];
  }

  refuseWaiting(error: HostError): void {
    for (const arrival of this.#waiting.splice(0)) arrival.refused(error);
  }
}
