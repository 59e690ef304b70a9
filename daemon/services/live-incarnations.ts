// The incarnations of one service whose cells are not gone: the live one, one that starts beside it, those on their way
// out. Who stops the service waits for all of them, so that nothing of it outlives its stop unseen.
import { Histogram } from '../../protocol/cell/histogram.ts';
import type { Incarnation } from '../dispatch/incarnation.ts';

export class LiveIncarnations {
  live: Incarnation | undefined;
  /** Of incarnations that are gone, as is the next figure. */
  readonly #handleTimes = new Histogram();
  #anyGone = false;
  #malformed = 0;
  /** Given up by the kill ladder, and still there. */
  readonly #leftBehind = new Set<Incarnation>();
  readonly #present = new Set<Incarnation>();
  /** Replaced, and still stopping itself; there is never more than one. */
  #leaving: Incarnation | undefined;

  add(incarnation: Incarnation): void {
    this.#present.add(incarnation);
  }

  /** Of every incarnation there was. They may go on counting. */
  handleTimes(): Histogram {
    const [only, ...others] = this.#present;
    if (only !== undefined && others.length === 0 && !this.#anyGone) return only.handleTimes;
    const all = new Histogram();
    all.add(this.#handleTimes);
    for (const { handleTimes } of this.#present) all.add(handleTimes);
    return all;
  }

  /** Messages of all its cells, also of those that are gone, that could not be read and were dropped. */
  get malformed(): number {
    let malformed = this.#malformed;
    for (const incarnation of this.#present) malformed += incarnation.malformed;
    return malformed;
  }

  remove(incarnation: Incarnation): void {
    this.#malformed += incarnation.malformed;
    this.#handleTimes.add(incarnation.handleTimes);
    this.#anyGone = true;
    this.#present.delete(incarnation);
    if (this.#leaving === incarnation) this.#leaving = undefined;
  }

  /** How many cells were given up and still exist. */
  get leftBehind(): number {
    return this.#leftBehind.size;
  }

  leaveBehind(incarnation: Incarnation): void {
    this.#leftBehind.add(incarnation);
  }

  leftBehindEnded(incarnation: Incarnation): void {
    this.#leftBehind.delete(incarnation);
  }

  /** It stops itself beside the new one. One that is still at it from an earlier reload has had its time. */
  leave(old: Incarnation, stopMs: number): void {
    this.hurry('another incarnation leaves');
    this.#leaving = old;
    void old.stop(stopMs).then(() => old.end());
  }

  /** The one that is stopping itself gets no more time for it. */
  hurry(reason: string): void {
    this.#leaving?.kill(reason);
  }

  kill(reason: string): void {
    for (const incarnation of this.#present) incarnation.kill(reason);
  }

  /** Only when all of them have been told to end, or are stopping: then the kill ladder bounds this wait. */
  async gone(): Promise<void> {
    await Promise.all([...this.#present].map(({ ended }) => ended));
  }
}
