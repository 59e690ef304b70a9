// Metrics in Prometheus' text format, written by hand over the figures that the daemon has anyway: a library would keep
// a second set of them. Families are written in the order in which they were first mentioned.
import type { Histogram } from '../../protocol/cell/histogram.ts';

type Labels = Readonly<Record<string, string>>;
type Kind = 'counter' | 'gauge' | 'histogram';

/** Upper bounds of the buckets, as powers of two of a microsecond: a millisecond to about a minute. */
const powers = [10, 12, 14, 16, 18, 20, 22, 24, 26] as const;
const bounds = powers.map((power) => String(2 ** power / 1e6));

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

const labelText = (labels: Labels): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (special) => escapes[special] ?? '')}"`)
    .join(',');

export class PrometheusText {
  readonly #families = new Map<string, string[]>();

  /** A value that is not known is left out. */
  counter(name: string, help: string, value: number | null | undefined, labels?: Labels): void {
    this.#sample(name, 'counter', help, value, labels);
  }

  gauge(name: string, help: string, value: number | null | undefined, labels?: Labels): void {
    this.#sample(name, 'gauge', help, value, labels);
  }

  /** In seconds. */
  histogram(name: string, help: string, histogram: Histogram, labels: Labels): void {
    const lines = this.#family(name, 'histogram', help);
    const { counts, count, sumMs } = histogram.below(powers);
    const own = labelText(labels);
    for (const [at, bound] of bounds.entries())
      lines.push(`${name}_bucket{${own},le="${bound}"} ${String(counts[at] ?? count)}`);
    lines.push(`${name}_bucket{${own},le="+Inf"} ${String(count)}`);
    lines.push(`${name}_sum{${own}} ${String(Number((sumMs / 1000).toPrecision(6)))}`);
    lines.push(`${name}_count{${own}} ${String(count)}`);
  }

  toString(): string {
    let text = '';
    for (const lines of this.#families.values()) text += `${lines.join('\n')}\n`;
    return text;
  }

  #sample(name: string, kind: Kind, help: string, value: number | null | undefined, labels?: Labels): void {
    if (value === null || value === undefined) return;
    const own = labels === undefined ? '' : `{${labelText(labels)}}`;
    this.#family(name, kind, help).push(`${name}${own} ${String(value)}`);
  }

  #family(name: string, kind: Kind, help: string): string[] {
    const known = this.#families.get(name);
    if (known !== undefined) return known;
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`];
    this.#families.set(name, lines);
    return lines;
  }
}
