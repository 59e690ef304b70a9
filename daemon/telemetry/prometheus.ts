// Metrics in Prometheus' text format, written by hand over the figures that the daemon has anyway: a library would keep
// a second set of them. Families are written in the order in which they were first mentioned. A scraper comes every few
// seconds and finds most figures as they were, so that lines are kept with their label set, and the text of a family
// with its lines, and both are put together again only where a value is another one.
import type { Histogram } from '../../protocol/cell/histogram.ts';

type Kind = 'counter' | 'gauge' | 'histogram';

/** Upper bounds of the buckets, as powers of two of a microsecond: a millisecond to about a minute. */
const powers = [10, 12, 14, 16, 18, 20, 22, 24, 26] as const;
const bounds = powers.map((power) => String(2 ** power / 1e6));

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

const labelText = (name: string, value: string): string =>
  `${name}="${value.replace(/[\\"\n]/g, (special) => escapes[special] ?? '')}"`;

/**
 * V8 keeps a text that was put together as its parts until somebody looks at its characters. A line is joined at every
 * scrape, and joining parts takes ten times as long.
 */
function whole(text: string): string {
  return text.charCodeAt(0) >= 0 ? text : '';
}

interface KeptLine {
  /** All that stands before the value. */
  readonly head: string;
  value: number;
  text: string;
}

interface KeptHistogram {
  /** What stands before each number, in order. */
  readonly heads: readonly string[];
  mark: number;
  text: string;
}

/** A set of labels, with the lines that were last written with it. It lives as long as what it names. */
export class Labels {
  static readonly none = new Labels('');
  readonly text: string;
  readonly #lines = new Map<string, KeptLine>();
  readonly #histograms = new Map<string, KeptHistogram>();
  readonly #more = new Map<string, Map<string, Labels>>();

  private constructor(text: string) {
    this.text = text;
  }

  /** A set that no other one leads to. */
  static of(name: string, value: string): Labels {
    return new Labels(labelText(name, value));
  }

  /** This set and one label more; the same one for the same label. */
  and(name: string, value: string): Labels {
    let ofName = this.#more.get(name);
    if (ofName === undefined) this.#more.set(name, (ofName = new Map<string, Labels>()));
    const known = ofName.get(value);
    if (known !== undefined) return known;
    const labels = new Labels(this.text === '' ? labelText(name, value) : `${this.text},${labelText(name, value)}`);
    ofName.set(value, labels);
    return labels;
  }

  line(name: string, value: number): string {
    const known = this.#lines.get(name);
    if (known?.value === value) return known.text;
    const head = known?.head ?? `${name}${this.text === '' ? '' : `{${this.text}}`} `;
    const text = whole(`${head}${String(value)}\n`);
    if (known === undefined) this.#lines.set(name, { head, value, text });
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
    const heads = known?.heads ?? this.#headsOf(name);
    const text = whole(histogramText(heads, histogram));
    if (known === undefined) this.#histograms.set(name, { heads, mark, text });
    else {
      known.mark = mark;
      known.text = text;
    }
    return text;
  }

  #headsOf(name: string): string[] {
    const { text } = this;
    return [
      ...[...bounds, '+Inf'].map((bound) => `${name}_bucket{${text},le="${bound}"} `),
      `${name}_sum{${text}} `,
      `${name}_count{${text}} `,
    ];
  }
}

/** One that has counted nothing has the bucket of all alone: most plugins rest, and buckets are most of the text. */
function histogramText(heads: readonly string[], histogram: Histogram): string {
  const { counts, count, sumMs } = histogram.below(powers);
  let text = '';
  for (let at = 0; at < powers.length && count > 0; at += 1)
    text += `${heads[at] ?? ''}${String(counts[at] ?? count)}\n`;
  const [all = '', sum = '', number = ''] = heads.slice(powers.length);
  text += `${all}${String(count)}\n`;
  text += `${sum}${String(Number((sumMs / 1000).toPrecision(6)))}\n`;
  return `${text}${number}${String(count)}\n`;
}

interface Family {
  readonly lines: string[];
  /** As many as this scrape has written so far. */
  length: number;
  /** All lines as they were last, or undefined since one of them is another. */
  text: string | undefined;
}

/** Kept from one scrape to the next: a family whose lines are all the same need not be joined again. */
export class PrometheusText {
  readonly #families = new Map<string, Family>();

  /** A value that is not known is left out. */
  counter(name: string, help: string, value: number | null | undefined, labels: Labels = Labels.none): void {
    if (value !== null && value !== undefined) this.#write(name, 'counter', help, labels.line(name, value));
  }

  gauge(name: string, help: string, value: number | null | undefined, labels: Labels = Labels.none): void {
    if (value !== null && value !== undefined) this.#write(name, 'gauge', help, labels.line(name, value));
  }

  /** In seconds. */
  histogram(name: string, help: string, histogram: Histogram, labels: Labels): void {
    this.#write(name, 'histogram', help, labels.histogram(name, histogram));
  }

  /** What was written since the last time it was taken. */
  take(): string {
    let all = '';
    for (const [name, family] of this.#families) {
      // Nothing is told of it any more.
      if (family.length === 0) {
        this.#families.delete(name);
        continue;
      }
      const { lines, length } = family;
      if (lines.length > length) {
        lines.length = length;
        family.text = undefined;
      }
      family.text ??= whole(lines.join(''));
      family.length = 0;
      all += family.text;
    }
    return all;
  }

  #write(name: string, kind: Kind, help: string, line: string): void {
    let family = this.#families.get(name);
    if (family === undefined) {
      family = { lines: [`# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`], length: 0, text: undefined };
      this.#families.set(name, family);
    }
    // Behind the description.
    family.length = Math.max(family.length, 1);
    // Lines that are kept are the same texts, which takes no look at their characters.
    if (family.lines[family.length] !== line) {
      family.lines[family.length] = line;
      family.text = undefined;
    }
    family.length += 1;
  }
}
