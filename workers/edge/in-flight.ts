// Events on their way to the host, each with who waits for the answer. There are never more than the bound: whoever
// reads from the network looks here first and stops reading.
import type { EdgeAnswer, EdgeEvent } from '../../protocol/edge/messages.ts';
import { Gathered } from '../../protocol/gathered.ts';
import type { SourceEvent } from './driver.ts';

export class InFlight {
  readonly #most: number;
  readonly #waiting = new Map<number, (answer: EdgeAnswer) => void>();
  readonly #gathered: Gathered<EdgeEvent>;
  #awaitRoom: (() => void)[] = [];
  #nextId = 1;

  /** `post` is given what one turn has gathered. */
  constructor(most: number, post: (events: readonly EdgeEvent[]) => void) {
    this.#most = most;
    this.#gathered = new Gathered(post);
  }

  get full(): boolean {
    return this.#waiting.size >= this.#most;
  }

  whenRoom(run: () => void): () => void {
    this.#awaitRoom.push(run);
    return () => (this.#awaitRoom = this.#awaitRoom.filter((one) => one !== run));
  }

  send(key: string, event: SourceEvent): Promise<EdgeAnswer> {
    const id = this.#nextId++;
    this.#gathered.add({ id, key, ...event });
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  answered(answers: readonly EdgeAnswer[]): void {
    for (const answer of answers) {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    }
    while (!this.full && this.#awaitRoom.length > 0) this.#awaitRoom.shift()?.();
  }
}
