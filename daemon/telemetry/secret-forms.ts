// In which forms the value of an environment variable may stand in a text: whole, in the parts that programs take it
// apart into, and each of these as programs print it.
import { inspect } from 'node:util';

/**
 * Shorter values are flags and numbers (`1`, `on`, `dev`): they stand in every other line, so that replacing them
 * would tear the text apart and tell the value by where the holes are.
 */
const leastSecret = 4;
/** A part is told by more than a whole value: shorter ones are braces, dashes, names of settings. */
const leastPart = 8;

export function secretForms(values: readonly string[]): string[] {
  const pieces = new Set(values.flatMap((value) => [...wholesOf(value), ...partsOf(value)]));
  return [...new Set([...pieces].flatMap(formsOf))];
}

/** As it is, and without the blanks and line ends around it. */
function wholesOf(value: string): string[] {
  const trimmed = value.trim();
  return trimmed === '' ? [] : [value, trimmed].filter((whole) => whole.length >= leastSecret);
}

/** Lines of a key or certificate, texts of a JSON document, the password of an address. */
function partsOf(value: string): string[] {
  const texts = jsonTexts(value);
  const lines = [value, ...texts].flatMap((text) => text.split(/[\r\n]+/)).map((line) => line.trim());
  return [
    ...[...texts, ...lines].filter((part) => part.length >= leastPart),
    ...passwords(value).filter((part) => part.length >= leastSecret),
  ];
}

function jsonTexts(value: string): string[] {
  if (!/^\s*[[{]/.test(value)) return [];
  const texts: string[] = [];
  try {
    JSON.parse(value, (_key, inner: unknown) => {
      if (typeof inner === 'string') texts.push(inner);
      return null;
    });
  } catch {
    // No JSON after all: it is looked for as the text it is.
  }
  return texts;
}

function passwords(value: string): string[] {
  if (!URL.canParse(value)) return [];
  const { password } = new URL(value);
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    // A percent sign that begins no escape: the address means it as it stands.
    return [password];
  }
}

/**
 * As it is; inside JSON, and inside JSON that stands in JSON; as the console shows it in objects; inside an address.
 */
function formsOf(piece: string): string[] {
  const escaped = JSON.stringify(piece).slice(1, -1);
  return [
    piece,
    escaped,
    JSON.stringify(escaped).slice(1, -1),
    inspect(piece, { breakLength: Infinity }).slice(1, -1),
    percentEncoded(piece),
  ];
}

function percentEncoded(piece: string): string {
  try {
    return encodeURIComponent(piece);
  } catch {
    // Half a surrogate pair has no encoding, and so this form cannot occur.
    return piece;
  }
}
