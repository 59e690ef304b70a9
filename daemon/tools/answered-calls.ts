// The calls whose answers are known and whose callers are still to be told. Whoever hears of an answer may end other
// calls and make new ones, so that they are told together, when nobody is in the midst of the calls any more.
import type { Clock } from '../time/clock.ts';

export interface AnsweredCall {
  tell(): void;
}

export class AnsweredCalls {
  readonly #clock: Pick<Clock, 'soon'>;
  #waiting: AnsweredCall[] = [];

  constructor(clock: Pick<Clock, 'soon'>) {
    this.#clock = clock;
  }

  add(call: AnsweredCall): void {
    if (this.#waiting.push(call) === 1) this.#clock.soon(this.#tell);
  }

  readonly #tell = (): void => {
    const calls = this.#waiting;
    this.#waiting = [];
    let told = 0;
    try {
      for (const call of calls) {
        told += 1;
        call.tell();
      }
    } finally {
      // An error where one of them is told keeps no other from its answer.
      for (const call of calls.slice(told)) this.add(call);
    }
  };
}
