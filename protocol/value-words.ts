// The words in which a value that does not fit is described, the same for the daemon's own schemas and for those of
// plugins. A given text is never shown: it may be a secret. Cells load this file too, so it imports nothing.

const typeWords: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  integer: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  tuple: 'a list',
  null: 'null',
  never: 'left out',
};

export const typeWord = (type: string): string => typeWords[type] ?? type;

const mostShown = 20;
const shownLength = 64;

/** "a, b or c": each once. */
export function oneOf(words: readonly string[]): string {
  const distinct = [...new Set(words)];
  const shown =
    distinct.length > mostShown
      ? [...distinct.slice(0, mostShown), `${String(distinct.length - mostShown)} others`]
      : distinct;
  const last = shown.pop() ?? 'something else';
  return shown.length === 0 ? last : `${shown.join(', ')} or ${last}`;
}

/** A value that a schema allows, as its author wrote it. */
export function allowedWord(value: unknown): string {
  const text = typeof value === 'bigint' ? value.toString() : (JSON.stringify(value) ?? 'undefined');
  return text.length > shownLength ? `${text.slice(0, shownLength)}…` : text;
}

function kindWord(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return Array.isArray(value) ? 'a list' : typeWord(typeof value);
}

const givenNumber = (value: unknown): string =>
  typeof value === 'number' || typeof value === 'bigint' ? String(value) : kindWord(value);

export function wrongType(types: readonly string[], given: unknown): string {
  const words = oneOf(types.map(typeWord));
  if (given === undefined) return `is missing; it must be ${words}`;
  // That a number is a number says nothing to one who was asked for a whole one.
  const wantsNumber = types.some((type) => type === 'int' || type === 'integer' || type === 'number');
  return `must be ${words}, but it is ${wantsNumber ? givenNumber(given) : kindWord(given)}`;
}

export function wrongValue(allowed: readonly unknown[], given: unknown): string {
  const words = oneOf(allowed.map(allowedWord));
  if (given === undefined) return `is missing; it must be ${words}`;
  const kind = typeof given === 'string' ? 'a text' : givenNumber(given);
  const another = allowed.some(
    (value) =>
      typeof value === typeof given && typeof given !== 'number' && typeof given !== 'boolean' && given !== null,
  );
  return `must be ${words}, but it is ${another ? kind.replace(/^an? /, 'another ') : kind}`;
}

const units: Readonly<Record<string, readonly [one: string, many: string]>> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries'],
  set: ['entry', 'entries'],
  map: ['entry', 'entries'],
  object: ['key', 'keys'],
};

export type Bound = 'at least' | 'at most' | 'more than' | 'less than' | 'exactly';

/** `type` names what is counted; what has no unit is a number, and `given` is then its value. */
export function outOfBounds(
  type: string,
  bound: Bound,
  limit: number | bigint | string,
  given: number | bigint | undefined,
): string {
  const unit = units[type];
  const [verb, has, counted] =
    unit === undefined ? ['be', 'is', ''] : ['have', 'has', ` ${unit[Number(limit) === 1 ? 0 : 1]}`];
  return `must ${verb} ${bound} ${String(limit)}${counted}${given === undefined ? '' : `, but it ${has} ${String(given)}`}`;
}

export const notMultiple = (of: number | bigint, given: unknown): string =>
  `must be a multiple of ${String(of)}, but it is ${givenNumber(given)}`;

export function wrongPattern(pattern: string): string {
  return `must match the pattern ${pattern.length > 200 ? `${pattern.slice(0, 200)}…` : pattern}`;
}

export const wrongName = (fault: string): string => `is not a valid name: it ${fault}`;

/** `faults` tell of each form why the value does not have it. */
export function noFormFits(faults: readonly string[]): string {
  const shown = [...new Set(faults)].slice(0, 4);
  return shown.length === 0
    ? 'has none of the forms it may have'
    : `has none of the forms it may have: ${shown.join('; or ')}`;
}
