// A JSON-RPC batch on its way: its members are executed one after the other, perhaps over several turns, and their
// answers leave together when the last of them is known.
import type { SentJson } from '../../../protocol/json-rpc.ts';
import type { Outbox } from './outbox.ts';

export class RpcBatch {
  readonly #members: readonly unknown[];
  readonly #outbox: Outbox;
  readonly #answers: SentJson[] = [];
  #next = 0;
  #settled = 0;
  #length = 0;

  constructor(members: readonly unknown[], outbox: Outbox) {
    this.#members = members;
    this.#outbox = outbox;
  }

  get hasNext(): boolean {
    return this.#next < this.#members.length;
  }

  next(): unknown {
    return this.#members[this.#next++];
  }

  /** Called once for every member; a notification has no answer. */
  settle(answer: SentJson | undefined): void {
    if (answer !== undefined) {
      this.#answers.push(answer);
      this.#length += answer.length;
      this.#outbox.reserve(answer.length);
    }
    this.#settled += 1;
    if (this.#settled < this.#members.length) return;
    this.#outbox.reserve(-this.#length);
    if (this.#answers.length > 0) this.#outbox.addList(this.#answers);
  }
}
