// Finds where any of many secrets stands in a text, in one pass whose time depends on the text alone (the automaton
// of Aho and Corasick): it sees every overlap, and where the text breaks off inside a secret, it knows how far in.

export interface Span {
  start: number;
  end: number;
}

/**
 * Of a longer secret only this much must agree; the rest of its length is then taken as it comes. It keeps the
 * automaton small however long a key or certificate is.
 */
const headLength = 256;

/** A cut that left its mark: even a short beginning of a secret before it is most likely one. */
const leastBeforeMark = 4;
/** At a plain end the text may just as well be whole, and `postgres` no beginning of a secret address. */
const leastAtEnd = 12;

const cutMark = 0x2026;
const root = 0;

export class SecretScanner {
  // One row a state, in columns: the tree of the secrets' heads, children as linked siblings.
  readonly #unit: number[] = [0];
  readonly #firstChild: number[] = [0];
  readonly #nextSibling: number[] = [0];
  readonly #depth: number[] = [0];
  /** The state of the longest proper ending of this one that also begins a secret. */
  readonly #fallback: number[] = [0];
  /** How far back the longest secret reaches that ends here, and how far ahead one whose head ends here. */
  readonly #back: number[] = [0];
  readonly #ahead: number[] = [0];
  readonly #rootChild = new Map<number, number>();
  /** By the low byte of a unit: most characters of a text begin no secret, and are passed over at once. */
  readonly #begins = new Uint8Array(256);

  constructor(secrets: readonly string[]) {
    for (const secret of secrets) this.#add(secret);
    this.#link();
  }

  /** In order, apart from each other; `cut` says that the text is known to break off at its end. */
  scan(text: string, cut = false): Span[] {
    const spans: Span[] = [];
    let state = root;
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at);
      if (unit === cutMark) this.#cover(spans, state, at, leastBeforeMark);
      if (state === root && this.#begins[unit & 0xff] === 0) continue;
      state = this.#step(state, unit);
      const back = this.#back[state] ?? 0;
      if (back > 0) merge(spans, at + 1 - back, Math.min(text.length, at + 1 + (this.#ahead[state] ?? 0)));
    }
    this.#cover(spans, state, text.length, cut ? leastBeforeMark : leastAtEnd);
    return spans;
  }

  #cover(spans: Span[], state: number, end: number, least: number): void {
    const depth = this.#depth[state] ?? 0;
    if (depth >= least) merge(spans, end - depth, end);
  }

  #step(from: number, unit: number): number {
    let state = from;
    for (;;) {
      const next = this.#childOf(state, unit);
      if (next !== root || state === root) return next;
      state = this.#fallback[state] ?? root;
    }
  }

  #childOf(state: number, unit: number): number {
    if (state === root) return this.#rootChild.get(unit) ?? root;
    let child = this.#firstChild[state] ?? root;
    while (child !== root && this.#unit[child] !== unit) child = this.#nextSibling[child] ?? root;
    return child;
  }

  #add(secret: string): void {
    const head = Math.min(secret.length, headLength);
    let state = root;
    for (let at = 0; at < head; at += 1) {
      const unit = secret.charCodeAt(at);
      const known = this.#childOf(state, unit);
      state = known === root ? this.#grow(state, unit) : known;
    }
    this.#back[state] = head;
    this.#ahead[state] = Math.max(this.#ahead[state] ?? 0, secret.length - head);
  }

  #grow(parent: number, unit: number): number {
    const state = this.#unit.push(unit) - 1;
    this.#nextSibling.push(this.#firstChild[parent] ?? root);
    this.#firstChild[parent] = state;
    this.#firstChild.push(root);
    this.#depth.push((this.#depth[parent] ?? 0) + 1);
    this.#fallback.push(root);
    this.#back.push(0);
    this.#ahead.push(0);
    if (parent === root) {
      this.#rootChild.set(unit, state);
      this.#begins[unit & 0xff] = 1;
    }
    return state;
  }

  /** Level by level, so that a state's fallback, which is shorter, is always complete before it. */
  #link(): void {
    let level = [...this.#rootChild.values()];
    while (level.length > 0) {
      const deeper: number[] = [];
      for (const state of level) {
        const fallback = this.#fallback[state] ?? root;
        this.#back[state] = Math.max(this.#back[state] ?? 0, this.#back[fallback] ?? 0);
        this.#ahead[state] = Math.max(this.#ahead[state] ?? 0, this.#ahead[fallback] ?? 0);
        for (let child = this.#firstChild[state] ?? root; child !== root; child = this.#nextSibling[child] ?? root) {
          this.#fallback[child] = this.#step(fallback, this.#unit[child] ?? 0);
          deeper.push(child);
        }
      }
      level = deeper;
    }
  }
}

/** A span that ends later may begin earlier than those before it, and swallow them. */
function merge(spans: Span[], start: number, end: number): void {
  let last = spans.at(-1);
  let from = start;
  let to = end;
  while (last !== undefined && last.end >= from) {
    from = Math.min(from, last.start);
    to = Math.max(to, last.end);
    spans.pop();
    last = spans.at(-1);
  }
  spans.push({ start: from, end: to });
}
