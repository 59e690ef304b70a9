// Decides how much a lane hands over to its cell at a time, and whether it goes on by itself. It learns how long events
// take from those that were settled. This one has nobody to share with; a service's pacer is its `WakeTurn`.

const firstBatch = 16;
/** A batch is as long as this much work, so that slow events travel in small batches. */
const batchWorkMs = 4;
/** The weight of the newest events in the running mean. */
const newestWeight = 0.2;

export class Pacer {
  #eventMs: number | undefined;
  #settledMs = 0;

  /** How long an event takes at present. Undefined before the first one was settled. */
  get eventMs(): number | undefined {
    return this.#eventMs;
  }

  /** Others wait for the processor: the cell is to report as soon as it can do nothing more. */
  get othersWait(): boolean {
    return false;
  }

  /** Whether the lane hands over more at once after some events were settled; if not, it is pumped later. */
  mayGoOn(): boolean {
    return true;
  }

  batchSize(most: number): number {
    if (this.#eventMs === undefined) return Math.min(firstBatch, most);
    return Math.max(1, Math.min(most, Math.floor(batchWorkMs / Math.max(this.#eventMs, 0.001))));
  }

  /** An idle cell has been given events. */
  began(nowMs: number): void {
    this.#settledMs = nowMs;
  }

  settled(count: number, nowMs: number): void {
    const eventMs = (nowMs - this.#settledMs) / count;
    this.#settledMs = nowMs;
    this.#eventMs = this.#eventMs === undefined ? eventMs : this.#eventMs + newestWeight * (eventMs - this.#eventMs);
  }
}
