// Whether a commit still fits below a bound. What the tables hold is measured only near the bound: far from it, an
// estimate of what has been written since the last measurement is enough.
import type { CommitMessage, StoreFault } from '../../protocol/store/messages.ts';
import type { StoreEngine } from './engine.ts';

/** Measured when the estimate has come this near to the bound. */
const measureAt = 0.75;
/** Measured again when this much of what was left below the bound may be used: to measure is to empty the journal. */
const measureAgain = 0.25;
/** Of the bound, above it: for commits that also remove, so that a full store can be emptied. */
const reserve = 0.125;
/** A page of a value's tree, or a part of one, comes on top of what is put. */
const overhead = 2;

export class StoreRoom {
  readonly #boundBytes: number;
  readonly #limit: string;
  #estimatedBytes = Number.POSITIVE_INFINITY;
  #measureFrom: number;

  constructor(boundBytes: number, limit: string) {
    this.#boundBytes = boundBytes;
    this.#limit = limit;
    this.#measureFrom = boundBytes * measureAt;
  }

  /** Those of a transaction that fit; `refused` hears of each that does not. */
  fitting(
    engine: StoreEngine,
    commits: readonly CommitMessage[],
    refused: (id: number, fault: StoreFault) => void,
  ): CommitMessage[] {
    let bytesBefore = 0;
    return commits.filter((commit) => {
      const fault = this.#refusal(engine, commit, bytesBefore);
      if (fault === undefined) bytesBefore += commit.bytes;
      else refused(commit.id, fault);
      return fault === undefined;
    });
  }

  #refusal(engine: StoreEngine, { bytes, removes }: CommitMessage, bytesBefore: number): StoreFault | undefined {
    const allowed = this.#boundBytes * (removes ? 1 + reserve : 1);
    const added = bytesBefore + bytes;
    if (this.#estimatedBytes + added > this.#measureFrom) this.#measure(engine);
    if (this.#estimatedBytes + added <= allowed) return undefined;
    return {
      reason: 'full',
      message: `The store holds ${String(this.#estimatedBytes)} bytes; ${this.#limit} allows ${String(this.#boundBytes)}.`,
      details: { reason: 'limit', limit: this.#limit, maximum: this.#boundBytes },
    };
  }

  #measure(engine: StoreEngine): void {
    const used = usedBytes(engine);
    this.#estimatedBytes = used;
    this.#measureFrom = Math.max(this.#boundBytes * measureAt, used + (this.#boundBytes - used) * measureAgain);
  }

  took(bytes: number): void {
    this.#estimatedBytes += bytes * overhead;
  }
}

export const usedBytes = (engine: StoreEngine): number =>
  engine.usage().tables.reduce((sum, { bytes }) => sum + bytes, 0);
