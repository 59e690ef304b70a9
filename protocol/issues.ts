// Turns zod's findings into issues a person can act on: the path of the field, and for a key nobody knows the
// nearest known one.
import type * as z from 'zod';
import { type ErrorCode, type HostError, type Issue, invalid } from './errors.ts';
import { pathText } from './paths.ts';
import { wordingOf } from './wording.ts';

export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

const suggestionLength = 64;

/** The known name a mistyped one most likely means; nothing where none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > suggestionLength) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** The keys an object schema knows at a path, followed through arrays, optionals and defaults. */
function knownKeys(schema: unknown, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  const unwrap = (): void => {
    for (let depth = 0; depth < 16; depth += 1) {
      const inner = (at as { def?: { innerType?: unknown } } | undefined)?.def?.innerType;
      if (inner === undefined) return;
      at = inner;
    }
  };
  unwrap();
  for (const step of path) {
    const { shape, element, valueType } =
      (at as { def?: { shape?: Record<PropertyKey, unknown>; element?: unknown; valueType?: unknown } } | undefined)
        ?.def ?? {};
    at = typeof step === 'number' ? element : (shape?.[step] ?? valueType);
    unwrap();
  }
  return Object.keys((at as { def?: { shape?: object } } | undefined)?.def?.shape ?? {});
}

/** How many issues a refusal carries; a hostile input can have as many as it has fields. */
const maxIssues = 20;
const shownKeyLength = 64;

function hintOf(meant: string | undefined, known: readonly string[]): string {
  if (meant !== undefined) return `did you mean "${meant}"?`;
  return known.length === 0 ? 'no key is expected here' : `known keys are ${known.join(', ')}`;
}

export function issuesOf(error: z.ZodError, schema: z.ZodType): Issue[] {
  const issues: Issue[] = [];
  for (const found of error.issues) {
    if (issues.length >= maxIssues) break;
    if (found.code === 'unrecognized_keys') {
      const known = knownKeys(schema, found.path);
      for (const key of found.keys.slice(0, maxIssues - issues.length)) {
        const meant = nearest(key, known);
        issues.push({
          path: pathText([...found.path, key.slice(0, shownKeyLength)]),
          message: `unknown key; ${hintOf(meant, known)}`,
        });
      }
    } else {
      issues.push({ path: pathText(found.path), message: found.message });
    }
  }
  return issues;
}

export function parseOr<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  code: ErrorCode,
  subject: string,
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  // Checked a second time for the wording: asked for at once, it would make every check ten times as slow.
  const worded = schema.safeParse(value, { error: wordingOf });
  throw invalidBy(worded.error ?? parsed.error, schema, code, subject);
}

export function invalidBy(error: z.ZodError, schema: z.ZodType, code: ErrorCode, subject: string): HostError {
  return invalid(code, subject, issuesOf(error, schema));
}
