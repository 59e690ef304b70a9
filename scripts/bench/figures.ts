// What repeated measurements come to: the median with the least and the most, and which of them stand apart. Nothing is
// left out of a median: outliers are only named, so that a reader can tell a noisy machine from a slow program.

export interface Figure {
  /** The median, or the quantile that was asked for. */
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly samples: readonly number[];
  readonly outliers: readonly number[];
}

const ascending = (from: readonly number[]): number[] => [...from].sort((one, other) => one - other);

/** Between two samples it lies in proportion. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? NaN;
  const above = sorted[Math.ceil(at)] ?? below;
  return below + (above - below) * (at - Math.floor(at));
}

export const quantileOf = (samples: readonly number[], share: number): number => quantile(ascending(samples), share);

/** An outlier lies further from the middle half than one and a half times its width. */
export function figureOf(samples: readonly number[], share = 0.5): Figure {
  const sorted = ascending(samples);
  const lower = quantile(sorted, 0.25);
  const upper = quantile(sorted, 0.75);
  const reach = 1.5 * (upper - lower);
  return {
    value: quantile(sorted, share),
    min: sorted[0] ?? NaN,
    max: sorted.at(-1) ?? NaN,
    samples,
    outliers: samples.filter((sample) => sample < lower - reach || sample > upper + reach),
  };
}

export interface Slope {
  readonly perUnit: number;
  /** Half the width of its 95 % confidence interval. */
  readonly uncertainty: number;
}

/** Least squares. What the points scatter about the line says how sure the slope is. */
export function slopeOf(points: readonly (readonly [at: number, value: number])[]): Slope {
  const count = points.length;
  if (count < 3) return { perUnit: NaN, uncertainty: NaN };
  const meanAt = points.reduce((sum, [at]) => sum + at, 0) / count;
  const meanValue = points.reduce((sum, [, value]) => sum + value, 0) / count;
  const spread = points.reduce((sum, [at]) => sum + (at - meanAt) ** 2, 0);
  const perUnit = points.reduce((sum, [at, value]) => sum + (at - meanAt) * (value - meanValue), 0) / spread;
  const residue = points.reduce((sum, [at, value]) => sum + (value - meanValue - perUnit * (at - meanAt)) ** 2, 0);
  return { perUnit, uncertainty: studentFactor(count - 2) * Math.sqrt(residue / (count - 2) / spread) };
}

/** Student's t for 95 %, by its usual approximation. */
const studentFactor = (freedom: number): number => 1.96 + 2.4 / freedom + 5 / (freedom * freedom);
