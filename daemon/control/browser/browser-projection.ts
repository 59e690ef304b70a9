// What a browser sees of an answer, put together from allowed fields only: of results what their schema names, of
// errors what is known to come from the host or from the caller. What a plugin may have worded is told in the
// registry's words.
import { type ErrorCode, type ErrorDetails, HostError, errorKinds, isErrorCode } from '../../../protocol/errors.ts';
import { EncodedJson } from '../../../protocol/json-rpc.ts';
import type { Operation } from '../../../protocol/operation.ts';
import { workerEvent } from '../../../protocol/runtime.ts';
import { type Projection, encodedOnce } from '../projection.ts';

/** Worded by the host, of nothing but its bounds and what the caller itself has sent. */
const hostWorded: ReadonlySet<string> = new Set<ErrorCode>([
  'invalid_request',
  'invalid_identifier',
  'method_not_found',
  'payload_too_large',
  'too_many_requests',
  'limit_too_large',
  'shutting_down',
  'unauthorized',
  'forbidden',
  'runtime_not_found',
  'runtime_full',
  'worker_not_found',
  'worker_busy',
  'worker_stopped',
  'unsupported_operation',
]);

/** Diagnostics of the runtimes and of their streams, which are no errors. */
const hostWords: ReadonlySet<string> = new Set([
  'cursor_foreign',
  'cursor_expired',
  'events_dropped',
  'compatibility',
  'workers_forgotten',
]);

const maxTextLength = 500;
const maxListLength = 32;

const short = (text: string): string => (text.length > maxTextLength ? `${text.slice(0, maxTextLength)}…` : text);

type Reader = (value: unknown) => unknown;
const number: Reader = (value) => (typeof value === 'number' ? value : undefined);
const form =
  (expected: RegExp): Reader =>
  (value) =>
    typeof value === 'string' && expected.test(value) ? value : undefined;
const text: Reader = (value) => (typeof value === 'string' ? short(value) : undefined);
const texts: Reader = (value) =>
  Array.isArray(value)
    ? value
        .slice(0, maxListLength)
        .filter((each) => typeof each === 'string')
        .map(short)
    : text(value);

/** Numbers and names of a fixed form say nothing else, whoever wrote them. */
const everyDetail: Readonly<Record<string, Reader>> = {
  retryAfterMs: number,
  maximum: number,
  capacity: number,
  limit: form(/^[A-Za-z. ]{1,64}$/),
  runtimeId: form(/^[A-Za-z0-9._:-]{1,128}$/),
  workerId: form(/^[A-Za-z0-9._:-]{1,128}$/),
  at: form(/^[0-9TZ:.-]{1,32}$/),
};

/** Of what is the host's own wording. */
const hostDetails: Readonly<Record<string, Reader>> = { path: text, allow: texts, expected: texts, didYouMean: text };

function safeMessage(code: string, message: string): string {
  if (hostWorded.has(code) || hostWords.has(code)) return short(message);
  return isErrorCode(code) ? errorKinds[code].meaning : code.replaceAll('_', ' ');
}

function issuesOf(given: unknown, worded: boolean): unknown {
  if (!Array.isArray(given)) return undefined;
  return given.slice(0, maxListLength).map((issue: unknown) => {
    const { path, message } = (issue ?? {}) as { path?: unknown; message?: unknown };
    return { path: text(path) ?? '', message: (worded ? text(message) : undefined) ?? 'is not valid' };
  });
}

function safeDetails(code: ErrorCode, details: ErrorDetails): ErrorDetails {
  const worded = hostWorded.has(code);
  const readers = worded ? { ...everyDetail, ...hostDetails } : everyDetail;
  const read = Object.entries(readers).map(([name, reader]) => [name, reader(details[name])] as const);
  const all = [...read, ['issues', issuesOf(details['issues'], worded)] as const];
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

/** Wherever a code stands beside a message, and whatever the host says in a transcript, is an error that is told. */
function reworded(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reworded);
  if (typeof value !== 'object' || value === null) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([name, field]) => [name, reworded(field)]));
  if (typeof copy['code'] === 'string' && typeof copy['message'] === 'string')
    copy['message'] = safeMessage(copy['code'], copy['message']);
  if (copy['role'] === 'host' && copy['status'] !== 'cancelled' && typeof copy['content'] === 'string')
    copy['content'] = hostContent(copy['content']);
  return copy;
}

/** The host begins what it says of an error with its code. */
function hostContent(content: string): string {
  const [, code = '', message = ''] = /^([a-z_]+): ?([^]*)$/.exec(content) ?? [];
  return isErrorCode(code) ? `${code}: ${safeMessage(code, message)}` : 'The input did not come to its end.';
}

export const browserProjection: Projection = {
  result(row: Operation, result: unknown): unknown {
    const plain: unknown = result instanceof EncodedJson ? JSON.parse(result.text) : result;
    // Unknown fields fall away, and what does not fit at all is an error of the daemon.
    return reworded(row.result.parse(plain));
  },
  event: encodedOnce((event) => workerEvent.parse(reworded(workerEvent.parse(event)))),
  error: (error) =>
    new HostError(error.code, safeMessage(error.code, error.message), safeDetails(error.code, error.details)),
};
