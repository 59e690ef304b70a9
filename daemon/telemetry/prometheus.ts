// Metrics in Prometheus' text format, written by hand over the figures that the daemon has anyway: a library would keep
// a second set of them. Families are written in the order in which they were first mentioned. A scraper comes every few
// seconds and finds most figures as they were, so that lines are kept with their label set and written again only where
// a value is another one.
import type { Histogram } from '../../protocol/cell/histogram.ts';

type Kind = 'counter' | 'gauge' | 'histogram';

/** Upper bounds of the buckets, as powers of two of a microsecond: a millisecond to about a minute. */
const powers = [10, 12, 14, 16, 18, 20, 22, 24, 26] as const;
const bounds = powers.map((power) => String(2 ** power / 1e6));

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

const labelText = (name: string, value: string): string =>
  `${name}="${value.replace(/[\\"\n]/g, (special) => escapes[special] ?? '')}"`;

interface KeptLine {
  value: number;
  text: string;
}

interface KeptHistogram {
  mark: number;
  text: string;
}

/** A set of labels, with the lines that were last written with it. It lives as long as what it names. */
export class Labels {
  static readonly none = new Labels('');
  readonly text: string;
  readonly #lines = new Map<string, KeptLine>();
  readonly #histograms = new Map<string, KeptHistogram>();
  readonly #more = new Map<string, Labels>();

  private constructor(text: string) {
    this.text = text;
  }

  /** A set that no other one leads to. */
  static of(name: string, value: string): Labels {
    return new Labels(labelText(name, value));
  }

  /** This set and one label more; the same one for the same label. */
  and(name: string, value: string): Labels {
    const key = `${name}=${value}`;
    const known = this.#more.get(key);
    if (known !== undefined) return known;
    const labels = new Labels(this.text === '' ? labelText(name, value) : `${this.text},${labelText(name, value)}`);
    this.#more.set(key, labels);
    return labels;
  }

  line(name: string, value: number): string {
    const known = this.#lines.get(name);
    if (known?.value === value) return known.text;
    const text = `${name}${this.text === '' ? '' : `{${this.text}}`} ${String(value)}\n`;
    if (known === undefined) this.#lines.set(name, { value, text });
    else {
      known.value = value;
      known.text = text;
    }
    return text;
  }

  histogram(name: string, histogram: Histogram): string {
    const mark = histogram.mark();
    const known = this.#histograms.get(name);
    if (known?.mark === mark) return known.text;
    const text = this.#histogramText(name, histogram);
    this.#histograms.set(name, { mark, text });
    return text;
  }

  #histogramText(name: string, histogram: Histogram): string {
    const { counts, count, sumMs } = histogram.below(powers);
    let text = '';
    for (const [at, bound] of bounds.entries())
      text += `${name}_bucket{${this.text},le="${bound}"} ${String(counts[at] ?? count)}\n`;
    text += `${name}_bucket{${this.text},le="+Inf"} ${String(count)}\n`;
    text += `${name}_sum{${this.text}} ${String(Number((sumMs / 1000).toPrecision(6)))}\n`;
    return `${text}${name}_count{${this.text}} ${String(count)}\n`;
  }
}

export class PrometheusText {
  readonly #families = new Map<string, string[]>();

  /** A value that is not known is left out. */
  counter(name: string, help: string, value: number | null | undefined, labels: Labels = Labels.none): void {
    if (value !== null && value !== undefined) this.#family(name, 'counter', help).push(labels.line(name, value));
  }

  gauge(name: string, help: string, value: number | null | undefined, labels: Labels = Labels.none): void {
    if (value !== null && value !== undefined) this.#family(name, 'gauge', help).push(labels.line(name, value));
  }

  /** In seconds. */
  histogram(name: string, help: string, histogram: Histogram, labels: Labels): void {
    this.#family(name, 'histogram', help).push(labels.histogram(name, histogram));
  }

  toString(): string {
    let text = '';
    for (const lines of this.#families.values()) text += lines.join('');
    return text;
  }

  #family(name: string, kind: Kind, help: string): string[] {
    const known = this.#families.get(name);
    if (known !== undefined) return known;
    const lines = [`# HELP ${name} ${help}\n`, `# TYPE ${name} ${kind}\n`];
    this.#families.set(name, lines);
    return lines;
  }
}
