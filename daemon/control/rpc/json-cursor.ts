// A place in a line of JSON that moves on step by step, for those who know what stands there when a program has written
// it. Each step leaves the place after what it took, or gives up: then the line is left to a parser.
import { plainTextEnd, skipNumber, skipSpaces, skipValue } from '../../../protocol/json-bytes.ts';
import type { RpcId } from '../../../protocol/json-rpc.ts';
import type { KnownForm } from './known-form.ts';
import { KnownTexts } from './known-texts.ts';

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openObject = 0x7b;
const closeObject = 0x7d;
const openList = 0x5b;
const closeList = 0x5d;

/** What goes deeper is rare, and better left to a parser that does not go so deep itself. */
const deepest = 32;
const longestCount = 15;
/** No line is kept for having been read. */
const nothing: Buffer = Buffer.alloc(0);

export const keyOf = (name: string): Uint8Array => Buffer.from(`"${name}"`);

export class JsonCursor {
  readonly #texts = new KnownTexts();
  readonly #nesting: number;
  #bytes = nothing;
  /** -1 once it has given up. */
  #at = 0;

  /** `nesting`: how deep a line may go. */
  constructor(nesting: number) {
    this.#nesting = nesting;
  }

  /** A newline must stand somewhere behind. */
  begin(bytes: Buffer, start: number): void {
    this.#bytes = bytes;
    this.#at = start;
  }

  /** Whether the line was read to its end, and nothing given up. From here on nothing of it is kept. */
  ended(end: number): boolean {
    const at = skipSpaces(this.#bytes, this.#at);
    this.#bytes = nothing;
    return at === end;
  }

  /** An empty one is left to the parser. */
  opensObject(): boolean {
    return this.#opens(openObject);
  }

  opensList(): boolean {
    return this.#opens(openList);
  }

  /** Over a comma; false at the end, or where it gave up. */
  nextMember(): boolean {
    return this.#goesOn(closeObject);
  }

  nextItem(): boolean {
    return this.#goesOn(closeList);
  }

  /** Over the key and its colon; stays where another key stands. */
  key(key: Uint8Array): boolean {
    const bytes = this.#bytes;
    const from = this.#at;
    for (let at = 0; at < key.length; at += 1) {
      if (bytes[from + at] !== key[at]) return false;
    }
    const after = skipSpaces(bytes, from + key.length);
    if (bytes[after] !== colon) return false;
    this.#at = skipSpaces(bytes, after + 1);
    return true;
  }

  /** Stays where something else stands. */
  literal(text: Uint8Array): boolean {
    for (let at = 0; at < text.length; at += 1) {
      if (this.#bytes[this.#at + at] !== text[at]) return false;
    }
    this.#at += text.length;
    return true;
  }

  id(): RpcId | undefined {
    return this.#bytes[this.#at] === quote ? this.ownText() : this.count();
  }

  count(least = 0, most = Infinity): number | undefined {
    const end = skipNumber(this.#bytes, this.#at);
    if (end === -1 || end - this.#at > longestCount) return this.#giveUp();
    let count = 0;
    for (let at = this.#at; at < end; at += 1) {
      const digit = (this.#bytes[at] ?? 0) - 0x30;
      // Below zero, or not whole.
      if (digit < 0) return this.#giveUp();
      count = count * 10 + digit;
    }
    if (count < least || count > most) return this.#giveUp();
    this.#at = end;
    return count;
  }

  /** Of plain ASCII, and likely to come again. */
  text(): string | undefined {
    const end = this.#textEnd();
    if (end === -1) return undefined;
    const text = this.#texts.of(this.#bytes, this.#at + 1, end);
    this.#at = end + 1;
    return text;
  }

  /** One that is not. */
  ownText(): string | undefined {
    const end = this.#textEnd();
    if (end === -1) return undefined;
    const text = this.#bytes.toString('latin1', this.#at + 1, end);
    this.#at = end + 1;
    return text;
  }

  textOf(form: KnownForm): string | undefined {
    const text = this.text();
    return text === undefined || form.fits(text) ? text : this.#giveUp();
  }

  /** Any JSON, as the text it is. `levelsAround`: how deep it stands in its line. */
  json(levelsAround: number): string | undefined {
    const from = this.#at;
    this.#at = skipValue(this.#bytes, from, Math.min(deepest, this.#nesting - levelsAround));
    return this.#at === -1 ? undefined : this.#bytes.toString('utf8', from, this.#at);
  }

  #giveUp(): undefined {
    this.#at = -1;
    return undefined;
  }

  #opens(bracket: number): boolean {
    if (this.#at === -1 || this.#bytes[this.#at] !== bracket) {
      this.#giveUp();
      return false;
    }
    this.#at = skipSpaces(this.#bytes, this.#at + 1);
    return true;
  }

  #goesOn(end: number): boolean {
    if (this.#at === -1) return false;
    const bytes = this.#bytes;
    const at = skipSpaces(bytes, this.#at);
    if (bytes[at] === comma) {
      this.#at = skipSpaces(bytes, at + 1);
      return true;
    }
    this.#at = bytes[at] === end ? at + 1 : -1;
    return false;
  }

  #textEnd(): number {
    const end = this.#bytes[this.#at] === quote ? plainTextEnd(this.#bytes, this.#at + 1) : -1;
    if (end === -1) this.#giveUp();
    return end;
  }
}
