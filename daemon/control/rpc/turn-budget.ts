// How long one connection may keep the event loop to itself: what it has sent beyond that waits for the next turn, so
// that a flood of costly requests on one connection is not felt on the others.

const turnMs = 5;
/** The clock is looked at once in so many requests. */
const stride = 8;

export class TurnBudget {
  readonly #nextTurn: () => void;
  #taken = 0;
  #began = 0;
  #spent = false;

  /** `nextTurn` is called when a new turn begins after one whose budget was spent. */
  constructor(nextTurn: () => void) {
    this.#nextTurn = nextTurn;
  }

  /** Asked before each request. */
  spent(): boolean {
    if (this.#spent) return true;
    if (this.#taken === 0) {
      this.#began = performance.now();
      setImmediate(this.#renew);
    }
    this.#taken += 1;
    if (this.#taken % stride === 0 && performance.now() - this.#began > turnMs) this.#spent = true;
    return this.#spent;
  }

  readonly #renew = (): void => {
    this.#taken = 0;
    if (!this.#spent) return;
    this.#spent = false;
    this.#nextTurn();
  };
}
