// Says what a schema found in words that name what to write instead; zod's own name only what was wrong.
import type { z } from 'zod';

type RawIssue = z.core.$ZodRawIssue;

const expectedWords: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  tuple: 'a list',
  null: 'null',
};

const expectedWord = (expected: string): string => expectedWords[expected] ?? expected;

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'number' && !Number.isInteger(value)) return String(value);
  return Array.isArray(value) ? 'a list' : (expectedWords[typeof value] ?? typeof value);
}

function oneOf(words: readonly string[]): string {
  const distinct = [...new Set(words)];
  const last = distinct.pop() ?? 'something else';
  return distinct.length === 0 ? last : `${distinct.join(', ')} or ${last}`;
}

const expectation = (words: string, input: unknown): string =>
  input === undefined ? `is missing; it must be ${words}` : `must be ${words}, not ${kindOf(input)}`;

const units: Readonly<Record<string, readonly [one: string, many: string]>> = { string: ['character', 'characters'], array: ['entry', 'entries'] };

function amount(origin: string, bound: 'least' | 'most', count: number | bigint): string {
  const unit = units[origin];
  return unit === undefined ? `must be at ${bound} ${String(count)}` : `must have at ${bound} ${String(count)} ${unit[count === 1 ? 0 : 1]}`;
}

/** A contextual error map of zod; undefined leaves the wording to zod. Messages that a schema brings itself come first. */
export function wordingOf(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return expectation(expectedWord(issue.expected), issue.input);
    case 'invalid_value': {
      const words = oneOf(issue.values.map((value) => (typeof value === 'string' ? JSON.stringify(value) : String(value))));
      return issue.input === undefined ? `is missing; it must be ${words}` : `must be ${words}`;
    }
    case 'too_small':
      return amount(issue.origin, 'least', issue.minimum);
    case 'too_big':
      return amount(issue.origin, 'most', issue.maximum);
    case 'invalid_union': {
      const expected = issue.errors.map((branch) => branch[0]).map((first) => (first?.code === 'invalid_type' && first.path.length === 0 ? first.expected : undefined));
      return expected.some((word) => word === undefined) ? undefined : expectation(oneOf(expected.map((word) => expectedWord(String(word)))), issue.input);
    }
    case 'invalid_key':
      return `is not a valid name: it ${issue.issues[0]?.message ?? 'does not fit'}`;
    default:
      return undefined;
  }
}
