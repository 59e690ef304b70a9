// Figures as a reader gets them: three digits that mean something, their unit, and the range they came from.
import type { Figure } from './figures.ts';
import type { Unit, Verdict } from './row.ts';

const digits = (value: number): string => {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
};

const shown: Readonly<Record<Unit, (value: number) => string>> = {
  perSecond: (value) => (value >= 1000 ? `${digits(value / 1000)} k` : digits(value)),
  micros: (value) => `${digits(value)} µs`,
  millis: (value) => `${digits(value)} ms`,
  megabytes: (value) => `${digits(value)} MB`,
  percent: (value) => `${digits(value)} %`,
  times: (value) => `${digits(value)} ×`,
};

export const valueText = (value: number, unit: Unit): string => (Number.isFinite(value) ? shown[unit](value) : '–');

/** The value, the least and the most, and how many lie far from the rest. */
export function figureText(figure: Figure | undefined, unit: Unit): string {
  if (figure === undefined || !Number.isFinite(figure.value)) return '–';
  const { value, min, max, outliers } = figure;
  const range = min === max ? '' : ` (${valueText(min, unit)} … ${valueText(max, unit)})`;
  return `${valueText(value, unit)}${range}${outliers.length === 0 ? '' : `, ${String(outliers.length)} outlier${outliers.length === 1 ? '' : 's'}`}`;
}

export function targetText({ atLeast, atMost, unit }: Verdict): string {
  if (atLeast !== undefined) return `≥ ${valueText(atLeast, unit)}`;
  return atMost === undefined ? '–' : `≤ ${valueText(atMost, unit)}`;
}
