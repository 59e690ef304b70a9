// A histogram that never allocates: eight steps an octave from a microsecond to over an hour, in a typed array, so
// that a cell can write it in shared memory while the host reads it.

const stepsPerOctave = 8;
const octaves = 32;

export const histogramLength = stepsPerOctave * octaves;

const floatView = new Float64Array(1);
const wordView = new Uint32Array(floatView.buffer);
const exponentBias = 1023;

/** Exponent and leading mantissa bits of the duration are the bucket: no logarithm on the hot path. */
function bucketOf(durationMs: number): number {
  const microseconds = durationMs * 1000;
  if (!(microseconds >= 1)) return 0;
  floatView[0] = microseconds;
  const high = wordView[1] ?? 0;
  const bucket = (((high >>> 20) & 0x7ff) - exponentBias) * stepsPerOctave + ((high >>> 17) & 0x7);
  return bucket < histogramLength ? bucket : histogramLength - 1;
}

/** The middle of a bucket, in milliseconds. */
function middleOf(bucket: number): number {
  const octave = Math.floor(bucket / stepsPerOctave);
  const within = (bucket % stepsPerOctave) + 0.5;
  return (2 ** octave * (1 + within / stepsPerOctave)) / 1000;
}

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
  readonly count: number;
}

export class Histogram {
  readonly #buckets: Uint32Array;

  constructor(buckets: Uint32Array = new Uint32Array(histogramLength)) {
    this.#buckets = buckets;
  }

  record(durationMs: number): void {
    const bucket = bucketOf(durationMs);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
  }

  add(other: Histogram): void {
    for (let bucket = 0; bucket < histogramLength; bucket += 1) {
      this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + (other.#buckets[bucket] ?? 0);
    }
  }

  /** Another number as soon as a duration was added: it tells whether what was made of it still holds. */
  mark(): number {
    let sum = 0;
    for (let bucket = 0; bucket < histogramLength; bucket += 1) sum += (this.#buckets[bucket] ?? 0) * (bucket + 1);
    return sum;
  }

  /**
   * How many durations were below 2 to each of these powers of a microsecond, all of them, and about their sum: each
   * counts as the middle of its bucket. The powers ascend.
   */
  below(powers: readonly number[]): { readonly counts: number[]; readonly count: number; readonly sumMs: number } {
    const counts: number[] = [];
    let count = 0;
    let sumMs = 0;
    for (let bucket = 0; bucket < histogramLength; bucket += 1) {
      if (bucket === (powers[counts.length] ?? octaves) * stepsPerOctave) counts.push(count);
      const here = this.#buckets[bucket] ?? 0;
      if (here === 0) continue;
      count += here;
      sumMs += here * middleOf(bucket);
    }
    return { counts, count, sumMs };
  }

  percentiles(): Percentiles {
    let count = 0;
    let highest = 0;
    for (let bucket = 0; bucket < histogramLength; bucket += 1) {
      const here = this.#buckets[bucket] ?? 0;
      count += here;
      if (here > 0) highest = bucket;
    }
    if (count === 0) return { p50: 0, p90: 0, p99: 0, max: 0, count };
    const at = (share: number): number => {
      let seen = 0;
      for (let bucket = 0; bucket <= highest; bucket += 1) {
        seen += this.#buckets[bucket] ?? 0;
        if (seen >= count * share) return round(middleOf(bucket));
      }
      return round(middleOf(highest));
    };
    return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: round(middleOf(highest)), count };
  }
}

function round(milliseconds: number): number {
  return Number(milliseconds.toPrecision(3));
}
