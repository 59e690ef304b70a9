// Those who wait for room in a full queue, first come first served. They are not let in one by one as places come free,
// but when half of the queue is: a publisher that is held and let go for every event would cost more than its events.

/** Tries to go on. True: it has stopped waiting; false: it keeps its place. */
export type CapacityWaiter = () => boolean;

export class CapacityWaiters {
  readonly #waiting: CapacityWaiter[] = [];

  get awaited(): boolean {
    return this.#waiting.length > 0;
  }

  /** Answers how to stop waiting. */
  wait(waiting: CapacityWaiter): () => void {
    this.#waiting.push(waiting);
    return () => {
      const at = this.#waiting.indexOf(waiting);
      if (at !== -1) this.#waiting.splice(at, 1);
    };
  }

  /** Whoever has no more to wait for stops by itself: to take it out here as well would take out the next one. */
  offer(): void {
    while (this.#waiting[0]?.() === true);
  }
}
