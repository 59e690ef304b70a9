// Walks over JSON in the bytes it came in, without building anything of it: most of what a parser costs is making
// objects that the host only passes on. It knows the JSON that machines write and gives up (-1) on all else, valid or
// not, which a real parser then judges. Whatever it accepts is JSON that means the same to any parser.

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;
const space = 0x20;
const zero = 0x30;
const nine = 0x39;
const minus = 0x2d;
const point = 0x2e;
const openObject = 0x7b;
const closeObject = 0x7d;
const openList = 0x5b;
const closeList = 0x5d;

/** Longer numbers may be more than a number can hold. */
const longestNumber = 20;

/** What a byte is within a text: it goes on, it ends, or it needs a closer look. */
const goesOn = 0;
const ends = 1;
const special = 2;
const inText = new Uint8Array(256);
inText.fill(special, 0, space);
inText[quote] = ends;
inText[backslash] = special;

const simpleEscapes = new Uint8Array(256);
for (const character of '"\\/bfnrt') simpleEscapes[character.charCodeAt(0)] = 1;

const hexDigits = new Uint8Array(256);
for (const character of '0123456789abcdefABCDEF') hexDigits[character.charCodeAt(0)] = 1;

export function skipSpaces(bytes: Uint8Array, at: number): number {
  let next = at;
  while (bytes[next] === space) next += 1;
  return next;
}

/** After the value that begins here, or -1. No value goes past a newline, or the end of the bytes. */
export function skipValue(bytes: Uint8Array, at: number, depthLeft: number): number {
  switch (bytes[at]) {
    case quote:
      return skipText(bytes, at + 1);
    case openObject:
      return depthLeft === 0 ? -1 : skipObject(bytes, skipSpaces(bytes, at + 1), depthLeft - 1);
    case openList:
      return depthLeft === 0 ? -1 : skipList(bytes, skipSpaces(bytes, at + 1), depthLeft - 1);
    case 0x74:
      return bytes[at + 1] === 0x72 && bytes[at + 2] === 0x75 && bytes[at + 3] === 0x65 ? at + 4 : -1;
    case 0x66:
      return bytes[at + 1] === 0x61 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x73 && bytes[at + 4] === 0x65
        ? at + 5
        : -1;
    case 0x6e:
      return bytes[at + 1] === 0x75 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x6c ? at + 4 : -1;
    default:
      return skipNumber(bytes, at);
  }
}

function skipObject(bytes: Uint8Array, first: number, depthLeft: number): number {
  if (bytes[first] === closeObject) return first + 1;
  let at = first;
  for (;;) {
    at = skipKey(bytes, at);
    if (at === -1) return -1;
    at = skipValue(bytes, at, depthLeft);
    if (at === -1) return -1;
    at = skipSpaces(bytes, at);
    if (bytes[at] !== comma) return bytes[at] === closeObject ? at + 1 : -1;
    at = skipSpaces(bytes, at + 1);
  }
}

function skipList(bytes: Uint8Array, first: number, depthLeft: number): number {
  if (bytes[first] === closeList) return first + 1;
  let at = first;
  for (;;) {
    at = skipValue(bytes, at, depthLeft);
    if (at === -1) return -1;
    at = skipSpaces(bytes, at);
    if (bytes[at] !== comma) return bytes[at] === closeList ? at + 1 : -1;
    at = skipSpaces(bytes, at + 1);
  }
}

/** A key and its colon. */
function skipKey(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== quote) return -1;
  const after = skipText(bytes, at + 1);
  if (after === -1) return -1;
  const next = skipSpaces(bytes, after);
  return bytes[next] === colon ? skipSpaces(bytes, next + 1) : -1;
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= zero && byte <= nine;

/** Without an exponent, and short: what could not be held, or is zero below zero, is left to a parser. */
export function skipNumber(bytes: Uint8Array, start: number): number {
  let at = start;
  const negative = bytes[at] === minus;
  if (negative) at += 1;
  if (bytes[at] === zero) {
    if (negative) return -1;
    at += 1;
  } else {
    if (!isDigit(bytes[at])) return -1;
    while (isDigit(bytes[at])) at += 1;
  }
  if (bytes[at] === point) {
    at += 1;
    if (!isDigit(bytes[at])) return -1;
    while (isDigit(bytes[at])) at += 1;
  }
  // Whatever follows that cannot is found by who looks for a comma or an end.
  return at - start <= longestNumber ? at : -1;
}

/** After the quote that ends the text whose first character is here. */
export function skipText(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    // Past the end there is no class, and it is over.
    const found = inText[bytes[at] ?? 0];
    if (found === goesOn) at += 1;
    else if (found === ends) return at + 1;
    else {
      at = skipEscape(bytes, at);
      if (at === -1) return -1;
    }
  }
}

function skipEscape(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== backslash) return -1;
  const kind = bytes[at + 1] ?? 0;
  if (simpleEscapes[kind] === 1) return at + 2;
  if (kind !== 0x75) return -1;
  for (let digit = at + 2; digit < at + 6; digit += 1) {
    if (hexDigits[bytes[digit] ?? 0] !== 1) return -1;
  }
  return at + 6;
}

/** Of plain ASCII, without escapes; where the text ends, before its quote. */
export function plainTextEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x80) return -1;
    const found = inText[byte];
    if (found === goesOn) at += 1;
    else return found === ends ? at : -1;
  }
}

/** What goes deeper is left to a parser. */
const deepest = 32;

/** All of it is one value. False says nothing: a parser may find that it is one all the same. */
export function isPlainJson(bytes: Uint8Array): boolean {
  const end = skipValue(bytes, skipSpaces(bytes, 0), deepest);
  return end !== -1 && skipSpaces(bytes, end) === bytes.length;
}
