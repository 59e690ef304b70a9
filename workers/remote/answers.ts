// What a remote daemon has answered, checked: a result fits the schema of its operation and what was asked, a refusal
// is one that the operation may give. Anything else makes the runtime unavailable.
import { type ErrorCode, HostError, errorKinds, isErrorCode } from '../../protocol/errors.ts';
import { openIdForm } from '../../protocol/identifier-forms.ts';
import type { RemoteRow, Shape } from '../../protocol/remote/messages.ts';
import type { WorkerEvent } from '../../protocol/runtime.ts';
import { nestsDeeper } from '../edge/nesting.ts';
import { nonsense, unauthorized } from './failures.ts';
import type { Answer } from './remote-connection.ts';
import { fitted } from './shape.ts';

/** What the reader of an answer has to know of its daemon. */
export interface Origin {
  readonly id: string;
  readonly nesting: number;
  withoutSecrets(text: string): string;
  refuseToken(text: string): void;
}

type Params = Readonly<Record<string, unknown>>;

/** Beside those of the operation itself. */
const always: ReadonlySet<ErrorCode> = new Set(['invalid_request', 'payload_too_large', 'too_many_requests']);
/** That it has no such runtime, or cannot reach one of its own, says that the runtime of this daemon is not there. */
const never: ReadonlySet<ErrorCode> = new Set([
  'runtime_not_found',
  'runtime_unavailable',
  'runtime_unreachable',
  'runtime_unauthorized',
  'runtime_timeout',
]);
const maxTextLength = 500;
const maxDetails = 16;
const maxCursorLength = 1024;
/** Of a name or a diagnostic that people read. */
const maxNameLength = 200;

/** Throws a HostError where there is no result. */
export function resultOf(origin: Origin, row: RemoteRow, params: Params, answer: Answer): unknown {
  if (answer.status !== 200) throw refusalOf(origin, row, answer);
  const checked = fitted(row.result, jsonOf(origin, answer.text));
  if (!checked.ok) throw nonsense(origin.id, 'its answer is not what this version understands');
  return fitting(origin, params, checked.value as Record<string, unknown>);
}

/** One event of a stream. */
export function eventOf(origin: Origin, shape: Shape, workerId: unknown, text: string): WorkerEvent {
  const checked = fitted(shape, jsonOf(origin, text));
  if (!checked.ok) throw nonsense(origin.id, 'an event of it is not what this version understands');
  // The shape is that of the type's own schema.
  const event = checked.value as WorkerEvent;
  const long = event.cursor !== null && (event.cursor === '' || event.cursor.length > maxCursorLength);
  if (long || (event.type === 'snapshot' && event.worker.workerId !== workerId))
    throw nonsense(origin.id, 'an event of it does not fit what was asked');
  return event.type === 'snapshot' ? { ...event, worker: named(origin, event.worker) } : event;
}

function jsonOf(origin: Origin, text: string): unknown {
  origin.refuseToken(text);
  try {
    // Looked at first: what reads it does so by recursion.
    if (nestsDeeper(text, origin.nesting)) throw nonsense(origin.id, 'its answer nests too deeply (limits.nesting)');
    return JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof HostError) throw thrown;
    throw nonsense(origin.id, 'its answer is no JSON');
  }
}

/** What the schema does not say: the answer is about what was asked, and no longer than was asked for. */
function fitting(origin: Origin, params: Params, result: Record<string, unknown>): unknown {
  const { workerId, limit } = params;
  const lists = [result['workers'], result['items']].filter(Array.isArray) as { workerId?: unknown }[][];
  const ids = [result, ...lists.flat()].flatMap((one) => ('workerId' in one ? [one['workerId']] : []));
  const fits =
    ids.every((id) => typeof id === 'string' && openIdForm.test(id)) &&
    (workerId === undefined || result['workerId'] === undefined || result['workerId'] === workerId) &&
    lists.every((list) => typeof limit !== 'number' || list.length <= limit);
  if (!fits) throw nonsense(origin.id, 'its answer does not fit what was asked');
  return named(origin, result);
}

const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most)}…` : text);
/** Names and diagnostics are shown beside those of this daemon. */
const plain = (origin: Origin, text: string, most: number): string =>
  cut(origin.withoutSecrets(text).replace(/\p{Cc}+/gu, ' '), most);

function named<Told extends object>(origin: Origin, told: Told): Told {
  const { displayName, diagnostics } = told as { displayName?: unknown; diagnostics?: unknown };
  return {
    ...told,
    ...(typeof displayName === 'string' ? { displayName: plain(origin, displayName, maxNameLength) } : {}),
    ...(Array.isArray(diagnostics)
      ? {
          diagnostics: (diagnostics as { code: string; message: string }[])
            .slice(-maxDetails)
            .map((each) => ({ ...each, message: plain(origin, each.message, maxTextLength) })),
        }
      : {}),
  };
}

function refusalOf(origin: Origin, row: RemoteRow, { status, text }: Answer): HostError {
  const { id } = origin;
  if (status === 401) return unauthorized(id, 'its daemon does not accept the token', 'token');
  if (status === 403)
    return unauthorized(
      id,
      'its daemon refuses the request: the token may only read, or the address is not in its http.names',
      'forbidden',
    );
  const problem = problemOf(origin, text);
  const code = problem?.['code'];
  if (!isErrorCode(code)) return nonsense(id, `its daemon answered with status ${String(status)}`, { status });
  if (never.has(code) || (!always.has(code) && !row.errors.includes(code)))
    return nonsense(id, `its daemon answered ${code}: ${errorKinds[code].meaning.replace(/\.$/, '')}`, { status });
  const detail = typeof problem?.['detail'] === 'string' ? problem['detail'] : errorKinds[code].meaning;
  return new HostError(code, plain(origin, detail, maxTextLength), {
    ...detailsOf(origin, problem?.['details']),
    runtimeId: id,
  });
}

function problemOf(origin: Origin, text: string): Record<string, unknown> | undefined {
  try {
    const value = jsonOf(origin, text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    // What is no problem document says nothing but its status.
    return undefined;
  }
}

/** Numbers, words, and what is wrong with which field. */
function detailsOf(origin: Origin, given: unknown): Record<string, unknown> {
  if (typeof given !== 'object' || given === null) return {};
  const told = Object.entries(given)
    .slice(0, maxDetails)
    .flatMap(([name, value]): [string, unknown][] => {
      const key = plain(origin, name, 64);
      if (typeof value === 'number' || typeof value === 'boolean') return [[key, value]];
      if (typeof value === 'string') return [[key, plain(origin, value, maxNameLength)]];
      return name === 'issues' && Array.isArray(value) ? [[key, issuesOf(origin, value)]] : [];
    });
  return Object.fromEntries(told);
}

const issuesOf = (origin: Origin, given: readonly unknown[]): { path: string; message: string }[] =>
  given.slice(0, maxDetails).flatMap((issue) => {
    const { path, message } = (issue ?? {}) as { path?: unknown; message?: unknown };
    return typeof path === 'string' && typeof message === 'string'
      ? [{ path: plain(origin, path, maxNameLength), message: plain(origin, message, maxNameLength) }]
      : [];
  });
