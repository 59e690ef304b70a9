// The refusals of an operation as responses of the OpenAPI document: one for each status, with the codes that share it.
import { type ErrorCode, errorCodes, errorKinds, isRetryable } from '../../../protocol/errors.ts';

type Json = Record<string, unknown>;

/** What responses refer to, under their names in `components`. */
export const refusalComponents = {
  schemas: { Problem: problemSchema() },
  headers: {
    RetryAfter: {
      description: 'Seconds after which the same request may succeed',
      schema: { type: 'integer', minimum: 1 },
    },
  },
};

/** By status. */
export function refusals(codes: readonly ErrorCode[]): Record<string, Json> {
  const distinct = [...new Set(codes)];
  const statuses = [...new Set(distinct.map((code) => errorKinds[code].status))];
  return Object.fromEntries(
    statuses.map((status) => [String(status), response(distinct.filter((code) => errorKinds[code].status === status))]),
  );
}

function response(sharing: readonly ErrorCode[]): Json {
  const later = sharing.some(isRetryable);
  return {
    description: sharing
      .map((code) => `\`${code}\`: ${errorKinds[code].meaning} ${errorKinds[code].remedy}`)
      .join('\n\n'),
    ...(later ? { headers: { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } } } : {}),
    content: {
      'application/problem+json': {
        schema: { allOf: [{ $ref: '#/components/schemas/Problem' }, { properties: { code: { enum: sharing } } }] },
      },
    },
  };
}

function problemSchema(): Json {
  return {
    type: 'object',
    description: 'RFC 9457',
    required: ['type', 'title', 'status', 'detail', 'code', 'retryable', 'details'],
    properties: {
      type: { type: 'string', format: 'uri' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      code: { enum: errorCodes },
      retryable: { type: 'boolean', description: 'whether the same request may succeed later without being changed' },
      details: { type: 'object' },
    },
  };
}
