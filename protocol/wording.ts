// Says what a schema found in words that name what to write instead; zod's own name only what was wrong.
import type * as z from 'zod';
import { issueText } from './errors.ts';
import { pathText } from './paths.ts';
import {
  type Bound,
  noFormFits,
  notMultiple,
  outOfBounds,
  wrongName,
  wrongPattern,
  wrongType,
  wrongValue,
} from './value-words.ts';

type RawIssue = z.core.$ZodRawIssue;

/** How many of what a bound counts the input has. */
function sizeOf(input: unknown): number | bigint | undefined {
  if (typeof input === 'number' || typeof input === 'bigint') return input;
  if (typeof input === 'string' || Array.isArray(input)) return input.length;
  return input instanceof Set || input instanceof Map ? input.size : undefined;
}

/** By zod's name of each form; what is not here is called by that name. */
const formWords: Readonly<Record<string, string>> = {
  datetime: 'a date and time such as 2026-01-31T12:00:00Z',
  date: 'a date such as 2026-01-31',
  time: 'a time such as 12:00:00',
  duration: 'a duration such as PT5M',
  email: 'an email address',
  url: 'a URL',
  uuid: 'a UUID',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  json_string: 'JSON',
  lowercase: 'in lower case',
  uppercase: 'in upper case',
};

function wrongForm(issue: Extract<RawIssue, { code: 'invalid_format' }>): string {
  const { format, pattern, prefix, suffix, includes } = issue as {
    format: string;
    pattern?: string;
    prefix?: string;
    suffix?: string;
    includes?: string;
  };
  if (prefix !== undefined) return `must begin with ${JSON.stringify(prefix)}`;
  if (suffix !== undefined) return `must end with ${JSON.stringify(suffix)}`;
  if (includes !== undefined) return `must contain ${JSON.stringify(includes)}`;
  if (formWords[format] === undefined && pattern !== undefined && ['regex', 'template_literal'].includes(format))
    return wrongPattern(pattern);
  return `must be ${formWords[format] ?? `in the form "${format}"`}`;
}

/** Of several forms: their types, where that is what is wrong with each. */
function noForm(issue: Extract<RawIssue, { code: 'invalid_union' }>): string {
  const {
    errors = [],
    discriminator,
    options,
  } = issue as {
    errors?: readonly (readonly z.core.$ZodIssue[])[];
    discriminator?: string;
    options?: readonly unknown[];
  };
  if (discriminator !== undefined)
    return wrongValue(
      options ?? ['one of the forms'],
      (issue.input as Readonly<Record<string, unknown>>)[discriminator],
    );
  if (errors.length === 0) return 'fits more than one of the forms of which it must have exactly one';
  const firsts = errors.flatMap(([first]) => (first === undefined ? [] : [first]));
  const types = firsts.flatMap((first) =>
    first.code === 'invalid_type' && first.path.length === 0 ? [first.expected] : [],
  );
  if (firsts.length > 0 && types.length === firsts.length) return wrongType(types, issue.input);
  return noFormFits(
    firsts
      .filter((first) => types.length === 0 || first.code !== 'invalid_type' || first.path.length > 0)
      .map(({ path, message }) => issueText({ path: pathText(path), message })),
  );
}

/** A contextual error map of zod. Messages that a schema brings itself come first. */
export function wordingOf(issue: RawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType([issue.expected], issue.input);
    case 'invalid_value':
      return wrongValue(issue.values, issue.input);
    case 'too_small':
      return outOfBounds(issue.origin, boundOf(issue, 'at least', 'more than'), issue.minimum, sizeOf(issue.input));
    case 'too_big':
      return outOfBounds(issue.origin, boundOf(issue, 'at most', 'less than'), issue.maximum, sizeOf(issue.input));
    case 'invalid_format':
      return wrongForm(issue);
    case 'not_multiple_of':
      return notMultiple(issue.divisor, issue.input);
    case 'unrecognized_keys':
      return `has ${issue.keys.length === 1 ? 'a key that is' : 'keys that are'} not known: ${issue.keys
        .slice(0, 20)
        .map((key) => JSON.stringify(key.slice(0, 64)))
        .join(', ')}`;
    case 'invalid_union':
      return noForm(issue);
    case 'invalid_key':
      return wrongName(issue.issues[0]?.message ?? 'does not fit');
    case 'invalid_element':
      return `has an entry that does not fit: it ${issue.issues[0]?.message ?? 'has another form'}`;
    default:
      return 'does not fit';
  }
}

const boundOf = (
  issue: { readonly exact?: boolean; readonly inclusive?: boolean },
  inclusive: Bound,
  exclusive: Bound,
): Bound => (issue.exact === true ? 'exactly' : issue.inclusive === false ? exclusive : inclusive);
