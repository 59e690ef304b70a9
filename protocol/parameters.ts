// Checks what an operation was called with. Most misfits are an invalid_request; some fields have a code of their own
// in the registry of errors, and say so where they are declared, so that every operation refuses them the same way.
import * as z from 'zod';
import { type ErrorCode, HostError } from './errors.ts';
import { invalidBy, parseOr } from './issues.ts';
import { wordingOf } from './wording.ts';

interface OwnRefusal {
  readonly code: 'invalid_identifier' | 'limit_too_large';
  readonly expected?: string;
}

/** A field is registered last: whatever describes or bounds it further makes another schema. */
export const ownRefusal = z.registry<OwnRefusal>();

/** How much of a list one call may ask for. */
export const pageLimit = (maximum: number, usual: number, least = 1) =>
  z.int().min(least).max(maximum).register(ownRefusal, { code: 'limit_too_large' }).default(usual);

/** Which of a schema's findings each code stands for: a field of the wrong type is an invalid_request all the same. */
const finding: Readonly<Record<OwnRefusal['code'], z.core.$ZodIssue['code']>> = {
  invalid_identifier: 'invalid_format',
  limit_too_large: 'too_big',
};

export function parseParameters<Schema extends z.ZodObject>(
  schema: Schema,
  given: unknown,
  subject: string,
): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const own = ownCode(schema, parsed.error.issues);
  if (own === undefined) return parseOr(schema, given, 'invalid_request', subject);
  // Checked a second time for the wording, as everywhere.
  const worded = schema.safeParse(given, { error: wordingOf });
  throw refusal(own.code, worded.error ?? parsed.error, schema, subject, own.found);
}

function ownCode(
  schema: z.ZodObject,
  issues: readonly z.core.$ZodIssue[],
): { readonly code: OwnRefusal['code']; readonly found: z.core.$ZodIssue } | undefined {
  for (const code of ['invalid_identifier', 'limit_too_large'] as const) {
    const found = issues.find((issue) => issue.code === finding[code] && declared(schema, issue.path)?.code === code);
    if (found !== undefined) return { code, found };
  }
  return undefined;
}

function refusal(
  code: ErrorCode,
  error: z.ZodError,
  schema: z.ZodObject,
  subject: string,
  found: z.core.$ZodIssue,
): HostError {
  const { message, details } = invalidBy(error, schema, code, subject);
  const expected = declared(schema, found.path)?.expected;
  return new HostError(code, message, {
    ...details,
    ...(expected === undefined ? {} : { expected }),
    ...(found.code === 'too_big' ? { maximum: found.maximum } : {}),
  });
}

function declared(schema: z.ZodObject, path: readonly PropertyKey[]): OwnRefusal | undefined {
  const [name] = path;
  if (path.length !== 1 || typeof name !== 'string') return undefined;
  // Generic over its shape, the compiler knows nothing of the fields.
  let field = (schema.shape as Readonly<Record<string, z.core.$ZodType>>)[name];
  while (field instanceof z.ZodOptional || field instanceof z.ZodDefault) field = field.unwrap();
  return field === undefined ? undefined : ownRefusal.get(field);
}
