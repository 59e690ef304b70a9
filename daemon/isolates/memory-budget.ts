// What a thread cell may hold in memory, as figures and a verdict on them. V8 counts garbage too, so that what stands
// over a budget is looked at again after a collection; only what is far over it is not waited for.

export interface MemoryFigures {
  readonly heapMb: number;
  readonly externalMb: number;
}

/**
 * V8 aborts the whole process when one allocation jumps over its hard limit, so that limit stands far above the budget;
 * but the higher it is, the more garbage V8 lets lie.
 */
const leastHardHeapMb = 1024;
const hardHeapFactor = 4;
/** Garbage alone never makes this much of a heap that is within its budget. */
const farFactor = 4;
const leastFarMb = 256;
const farShareOfHard = 0.6;

export const hardHeapMb = (heapMb: number): number => Math.max(leastHardHeapMb, heapMb * hardHeapFactor);

export type MemoryVerdict = 'within' | 'over' | 'farOver';

export class MemoryBudget {
  readonly #heapMb: number;
  readonly #allMb: number;
  readonly #farHeapMb: number;

  /** `allMb` bounds the heap and what lies outside it together. */
  constructor(heapMb: number, allMb: number) {
    this.#heapMb = heapMb;
    this.#allMb = Math.max(allMb, heapMb);
    this.#farHeapMb = Math.min(Math.max(heapMb * farFactor, leastFarMb), hardHeapMb(heapMb) * farShareOfHard);
  }

  judge({ heapMb, externalMb }: MemoryFigures): MemoryVerdict {
    const allMb = heapMb + externalMb;
    if (heapMb > this.#farHeapMb || allMb > this.#allMb * 2) return 'farOver';
    return heapMb > this.#heapMb || allMb > this.#allMb ? 'over' : 'within';
  }

  text({ heapMb, externalMb }: MemoryFigures): string {
    if (heapMb > this.#heapMb)
      return `the cell held ${heapMb.toFixed(0)} MB of V8 heap; limits.heapMb allows ${String(this.#heapMb)}`;
    return `the cell held ${heapMb.toFixed(0)} MB of V8 heap and ${externalMb.toFixed(0)} MB outside it; limits.rssMb allows ${String(this.#allMb)} together`;
  }
}
