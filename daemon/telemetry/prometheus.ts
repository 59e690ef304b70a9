// Metrics in Prometheus' text format, written by hand over the figures that the daemon has anyway: a library would keep
// a second set of them. Families are written in the order in which they were first mentioned. A scraper comes every few
// seconds and finds most figures as they were, so that the lines of each thing are kept with their values, and the text
// of a family with its lines, and both are put together again only where a value is another one.
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

/** Names and values of labels, as they stand between braces. It lives as long as what it names. */
export class Labels {
  static readonly none = new Labels('');
  readonly text: string;
  readonly #more = new Map<string, Map<string, Labels>>();

  private constructor(text: string) {
    this.text = text;
  }

  /** None, and nobody else's: what is added goes with it. */
  static root(): Labels {
    return new Labels('');
  }

  /** Labels that no others lead to. */
  static of(name: string, value: string): Labels {
    return new Labels(labelText(name, value));
  }

  /** These and one more; the same object for the same label. */
  and(name: string, value: string): Labels {
    let ofName = this.#more.get(name);
    if (ofName === undefined) this.#more.set(name, (ofName = new Map<string, Labels>()));
    const known = ofName.get(value);
    if (known !== undefined) return known;
    const labels = new Labels(joined(this.text, labelText(name, value)));
    ofName.set(value, labels);
    return labels;
  }
}

const joined = (one: string, other: string): string => (one === '' || other === '' ? one + other : `${one},${other}`);

const histogramHeads = (name: string, labels: string): string[] => [
  ...[...bounds, '+Inf'].map((bound) => `${name}_bucket{${joined(labels, `le="${bound}"`)}} `),
  ...['_sum', '_count'].map((end) => `${name}${end}${labels === '' ? '' : `{${labels}}`} `),
];

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

/** All samples of one name. */
class Family {
  readonly #lines: string[];
  /** As many as this scrape has written so far. */
  #length = 0;
  /** All lines as they were last, or undefined since one of them is another. */
  #text: string | undefined;

  constructor(name: string, kind: Kind, help: string) {
    this.#lines = [`# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`];
  }

  write(line: string): void {
    // Behind the description.
    const at = Math.max(this.#length, 1);
    // Lines that are kept are the same texts, which takes no look at their characters.
    if (this.#lines[at] !== line) {
      this.#lines[at] = line;
      this.#text = undefined;
    }
    this.#length = at + 1;
  }

  take(): string {
    const length = this.#length;
    this.#length = 0;
    if (this.#lines.length > Math.max(length, 1)) {
      this.#lines.length = Math.max(length, 1);
      this.#text = undefined;
    }
    if (length === 0) return '';
    return (this.#text ??= whole(this.#lines.join('')));
  }
}

/** Kept from one scrape to the next: a family whose lines are all the same need not be joined again. */
export class PrometheusText {
  readonly #families = new Map<string, Family>();

  family(name: string, kind: Kind, help: string): Family {
    const known = this.#families.get(name);
    if (known !== undefined) return known;
    const family = new Family(name, kind, help);
    this.#families.set(name, family);
    return family;
  }

  /** What was written since the last time it was taken. */
  take(): string {
    let all = '';
    for (const family of this.#families.values()) all += family.take();
    return all;
  }
}

interface Row {
  readonly name: string;
  readonly labels: Labels;
  readonly family: Family;
  /** What stands before each number of it, in order. */
  readonly heads: readonly string[];
  /** The value, or the mark of the histogram, that `text` tells. */
  told: number;
  text: string;
}

/**
 * What is told of one thing, such as a plugin. Most of it is told in the same order at each scrape: a row is looked for
 * where it stood last, and only from the first one that is another are rows made again.
 */
export class Rows {
  /** Of this thing, for labels that are not known before: they go with it. */
  readonly labels = Labels.root();
  readonly #text: PrometheusText;
  readonly #owner: Labels;
  readonly #rows: Row[] = [];
  #next = 0;

  constructor(text: PrometheusText, owner = Labels.none) {
    this.#text = text;
    this.#owner = owner;
  }

  /** Another scrape. */
  begin(): void {
    this.#next = 0;
  }

  /** A value that is not known is left out. */
  counter(name: string, help: string, value: number | null | undefined, labels = Labels.none): void {
    if (value !== null && value !== undefined) this.#number(this.#row(name, 'counter', help, labels), value);
  }

  gauge(name: string, help: string, value: number | null | undefined, labels = Labels.none): void {
    if (value !== null && value !== undefined) this.#number(this.#row(name, 'gauge', help, labels), value);
  }

  /** In seconds. */
  histogram(name: string, help: string, histogram: Histogram, labels = Labels.none): void {
    const row = this.#row(name, 'histogram', help, labels);
    const mark = histogram.mark();
    if (row.told !== mark) {
      row.told = mark;
      row.text = whole(histogramText(row.heads, histogram));
    }
    row.family.write(row.text);
  }

  #number(row: Row, value: number): void {
    if (row.told !== value) {
      row.told = value;
      row.text = whole(`${row.heads[0] ?? ''}${String(value)}\n`);
    }
    row.family.write(row.text);
  }

  #row(name: string, kind: Kind, help: string, labels: Labels): Row {
    const at = this.#next++;
    const known = this.#rows[at];
    if (known?.name === name && known.labels === labels) return known;
    this.#rows.length = at;
    const text = joined(this.#owner.text, labels.text);
    const heads = kind === 'histogram' ? histogramHeads(name, text) : [`${name}${text === '' ? '' : `{${text}}`} `];
    const row = { name, labels, family: this.#text.family(name, kind, help), heads, told: NaN, text: '' };
    this.#rows.push(row);
    return row;
  }
}
