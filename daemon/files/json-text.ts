// Parses JSON that a person wrote. The engine's own messages differ from version to version and often hold no
// position, so that where and what the fault is gets looked for here, once parsing has failed.
import type { Issue } from '../../protocol/errors.ts';
import { nestsDeeper } from '../../protocol/framing.ts';

export type ParsedText = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly issue: Issue };

export const maxDepth = 128;

export const tooDeep: Issue = { path: '', message: `nests deeper than ${String(maxDepth)} levels; make it flatter` };

export const nestsTooDeep = (json: string): boolean => nestsDeeper(json, maxDepth);

export function parseJsonText(source: string): ParsedText {
  // Some editors begin a file with a byte order mark, which JSON does not allow.
  const text = source.startsWith('\uFEFF') ? source.slice(1) : source;
  if (nestsTooDeep(text)) return { ok: false, issue: tooDeep };
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch {
    // What the engine says is replaced by what is found here.
    const fault = findJsonFault(text) ?? { at: 0, message: 'is not JSON' };
    return { ok: false, issue: { path: '', message: `${positionText(text, fault.at)}: ${fault.message}` } };
  }
}

/** `line:column`, both from 1. */
export function positionText(text: string, at: number): string {
  const before = text.slice(0, at).split(/\r\n|\n|\r/);
  return `${String(before.length)}:${String((before.at(-1)?.length ?? 0) + 1)}`;
}

export interface JsonFault {
  readonly at: number;
  readonly message: string;
}

/** What may come next at a place of the text. */
type Next = 'value' | 'firstEntry' | 'firstKey' | 'key' | 'colon' | 'commaOrEnd';

const space = /[ \t\n\r]*/y;
const scalar = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
const word = /[\w.+-]{1,40}/y;

function matchAt(form: RegExp, text: string, at: number): string {
  form.lastIndex = at;
  return form.exec(text)?.[0] ?? '';
}

/** The first thing in the text that is not JSON, read as strictly as the engine reads. */
export function findJsonFault(text: string): JsonFault | undefined {
  return new Scanner(text).run();
}

class Scanner {
  readonly #text: string;
  readonly #open: ('{' | '[')[] = [];
  #next: Next = 'value';
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): JsonFault | undefined {
    for (;;) {
      this.#at += matchAt(space, this.#text, this.#at).length;
      const character = this.#text[this.#at];
      const inside = this.#open.at(-1);
      if (this.#next === 'commaOrEnd' && inside === undefined) {
        return character === undefined ? undefined : this.#fault('nothing may follow the end of the JSON; remove it');
      }
      if (character === undefined) return this.#fault(endedWhile(this.#next, inside));
      if (character === '/' || character === '#') return this.#fault('JSON has no comments; remove it');
      const fault = this.#take(character, inside);
      if (fault !== undefined) return fault;
    }
  }

  #fault(message: string): JsonFault {
    return { at: this.#at, message };
  }

  #pass(length: number, next: Next): undefined {
    this.#at += length;
    this.#next = next;
  }

  #take(character: string, inside: '{' | '[' | undefined): JsonFault | undefined {
    const closing = inside === '{' ? '}' : ']';
    const mayClose = this.#next === 'commaOrEnd' || this.#next === 'firstEntry' || this.#next === 'firstKey';
    if (mayClose && character === closing) {
      this.#open.pop();
      return this.#pass(1, 'commaOrEnd');
    }
    switch (this.#next) {
      case 'commaOrEnd':
        return character === ','
          ? this.#pass(1, inside === '{' ? 'key' : 'value')
          : this.#fault(`a comma or ${closing} is missing before this`);
      case 'colon':
        return character === ':'
          ? this.#pass(1, 'value')
          : this.#fault('a colon is missing between the key and its value');
      case 'key':
      case 'firstKey':
        if (character === '"') return this.#takeString('colon');
        return this.#fault(
          character === '}' ? 'remove the comma before this }' : 'a key in double quotes is missing here',
        );
      case 'value':
      case 'firstEntry':
        return this.#takeValue(character, inside);
    }
  }

  #takeValue(character: string, inside: '{' | '[' | undefined): JsonFault | undefined {
    if (character === '"') return this.#takeString('commaOrEnd');
    if (character === '{' || character === '[') {
      this.#open.push(character);
      return this.#pass(1, character === '{' ? 'firstKey' : 'firstEntry');
    }
    const length = matchAt(scalar, this.#text, this.#at).length;
    return length === 0 ? this.#fault(noValue(this.#text, this.#at, inside)) : this.#pass(length, 'commaOrEnd');
  }

  #takeString(next: Next): JsonFault | undefined {
    const end = endOfString(this.#text, this.#at);
    return typeof end === 'number' ? this.#pass(end - this.#at, next) : end;
  }
}

function endedWhile(next: Next, inside: '{' | '[' | undefined): string {
  if (inside === undefined) return 'the file is empty; a JSON object is missing';
  return next === 'commaOrEnd'
    ? `the file ends here, and a closing ${inside === '{' ? '}' : ']'} is missing`
    : 'the file ends in the middle of the JSON';
}

function noValue(text: string, at: number, inside: '{' | '[' | undefined): string {
  const character = text[at] ?? '';
  if (character === ']' && inside === '[') return 'remove the comma before this ]';
  if (character === "'" || character === '`') return 'strings stand in double quotes in JSON';
  const found = matchAt(word, text, at);
  if (found === '') return 'a value is missing here';
  return /^[-+.\d]/.test(found)
    ? `${found} is not a number of JSON`
    : `${found} is not a value of JSON; strings stand in double quotes`;
}

const escapes = new Set('"\\/bfnrt');

/** Where the string that begins at `from` ends, or what is wrong in it. */
function endOfString(text: string, from: number): number | JsonFault {
  for (let at = from + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code === 0x0a || code === 0x0d)
      return { at: from, message: 'the string that begins here has no closing quote on its line' };
    if (code < 0x20)
      return {
        at,
        message: `a control character in a string must be written as \\u${code.toString(16).padStart(4, '0')}`,
      };
    if (code !== 0x5c) continue;
    const escaped = text[at + 1] ?? '';
    if (escaped === 'u' && /^[0-9a-fA-F]{4}$/.test(text.slice(at + 2, at + 6))) at += 5;
    else if (escapes.has(escaped) && escaped !== '') at += 1;
    else return { at, message: `\\${escaped} is not an escape of JSON; write a backslash as \\\\` };
  }
  return { at: from, message: 'the string that begins here has no closing quote' };
}
