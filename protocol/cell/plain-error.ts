// An error as plain data. Whatever a plugin throws (null, a text, an object whose getters throw, a circular cause)
// becomes this inside its cell, so that the host only ever sees bounded strings.

import { pluginStack } from './plugin-stack.ts';

export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string;
  /** What the error was caused by: of `fetch failed` it is `connect ECONNREFUSED 127.0.0.1:9`. */
  readonly cause?: PlainError;
  /** Of an AggregateError, its first errors. */
  readonly errors?: readonly PlainError[];
}

const maxMessage = 2000;
const maxStack = 8000;
const maxInnerStack = 2400;
const maxName = 100;
/** Bounds of one error with everything it was caused by. The host refuses what is deeper or wider. */
export const maxCauseDepth = 5;
export const maxErrorsOfOne = 5;
const maxErrorsInAll = 12;
const maxCharactersInAll = 24_000;

const cut = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length)}… (cut)` : text);

/** Reads one property of anything. */
function valueOf(value: object, key: string | number): unknown {
  try {
    return Reflect.get(value, key);
  } catch {
    // A getter or a proxy that throws belongs to the plugin; the error is described without that property.
    return undefined;
  }
}

function textOf(value: object, key: string): string | undefined {
  const found = valueOf(value, key);
  return typeof found === 'string' ? found : undefined;
}

function describe(value: unknown): string {
  try {
    return typeof value === 'string' ? value : String(value);
  } catch {
    // A toString that throws: only the kind of value is known.
    return `a ${typeof value} that cannot be described`;
  }
}

/** What Node's permission model calls what it denies, and what would allow it here. */
const grants: Readonly<Record<string, string>> = {
  FileSystemRead: 'permissions.fs.read',
  FileSystemWrite: 'permissions.fs.write',
  ChildProcess: 'permissions.childProcess',
  WorkerThreads: 'permissions.worker',
};

/** For a denial, the grant that its author needs to know of; else nothing. */
function grantHint(thrown: object, code: string | undefined): string {
  if (code === 'ERR_DLOPEN_DISABLED') return ' (permissions.addons would allow it)';
  const grant = code === 'ERR_ACCESS_DENIED' ? grants[textOf(thrown, 'permission') ?? ''] : undefined;
  if (grant === undefined) return '';
  const resource = cut(textOf(thrown, 'resource') ?? '', maxName);
  return ` (${grant} would allow it${resource === '' ? '' : `: ${resource}`})`;
}

/**
 * What is left of the bounds while one thrown value is flattened; an error that was visited already is not told again.
 */
interface Flattening {
  readonly visited: Set<object>;
  charactersLeft: number;
}

export function flattenError(thrown: unknown): PlainError {
  return flatten(thrown, 0, { visited: new Set(), charactersLeft: maxCharactersInAll });
}

function flatten(thrown: unknown, depth: number, flattening: Flattening): PlainError {
  if (thrown === null || (typeof thrown !== 'object' && typeof thrown !== 'function')) {
    const told = cut(
      typeof thrown === 'string' ? JSON.stringify(cut(thrown, maxMessage)) : describe(thrown),
      maxMessage,
    );
    // Only what is thrown has to be an Error; a cause may be a text.
    return { name: 'NonError', message: depth === 0 ? cut(`threw ${told}, which is not an Error`, maxMessage) : told };
  }
  flattening.visited.add(thrown);
  const message = textOf(thrown, 'message');
  if (message === undefined) {
    const told = cut(describe(thrown), maxMessage);
    return { name: 'NonError', message: depth === 0 ? `threw ${told}, which is not an Error` : told };
  }
  const code = textOf(thrown, 'code');
  const spend = (text: string, most: number): string => {
    const kept = cut(text, Math.min(most, flattening.charactersLeft));
    flattening.charactersLeft = Math.max(0, flattening.charactersLeft - kept.length);
    return kept;
  };
  const told = `${spend(message, maxMessage)}${grantHint(thrown, code)}`;
  const stack = stackIn(thrown);
  const stackText =
    stack === undefined || flattening.charactersLeft === 0
      ? undefined
      : spend(stack, depth === 0 ? maxStack : maxInnerStack);
  const cause = causeIn(thrown, depth, flattening);
  const errors = errorsIn(thrown, depth, flattening);
  return {
    name: cut(textOf(thrown, 'name') ?? 'Error', maxName),
    message: told,
    ...(stackText === undefined ? {} : { stack: stackText }),
    ...(code === undefined ? {} : { code: cut(code, maxName) }),
    ...(cause === undefined ? {} : { cause }),
    ...(errors.length === 0 ? {} : { errors }),
  };
}

function stackIn(thrown: object): string | undefined {
  const stack = textOf(thrown, 'stack');
  return stack === undefined ? undefined : pluginStack(stack);
}

/** Nothing where the bounds are reached, or the chain has come back to an error it has passed. */
function flattenInner(inner: unknown, depth: number, flattening: Flattening): PlainError | undefined {
  if (
    inner === undefined ||
    inner === null ||
    depth > maxCauseDepth ||
    flattening.charactersLeft === 0 ||
    flattening.visited.size >= maxErrorsInAll
  )
    return undefined;
  if (typeof inner === 'object' && flattening.visited.has(inner)) return undefined;
  return flatten(inner, depth, flattening);
}

const causeIn = (thrown: object, depth: number, flattening: Flattening): PlainError | undefined =>
  flattenInner(valueOf(thrown, 'cause'), depth + 1, flattening);

function errorsIn(thrown: object, depth: number, flattening: Flattening): PlainError[] {
  const list = valueOf(thrown, 'errors');
  if (!isList(list)) return [];
  const errors: PlainError[] = [];
  for (let index = 0; index < maxErrorsOfOne; index += 1) {
    const error = flattenInner(valueOf(list, index), depth + 1, flattening);
    if (error !== undefined) errors.push(error);
  }
  return errors;
}

function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    // A proxy that has been revoked.
    return false;
  }
}

/** The message with those of its causes: "fetch failed: connect ECONNREFUSED 127.0.0.1:9". */
export function messageWithCauses({ name, message, cause, errors = [] }: PlainError): string {
  const inner = [
    ...(errors.length === 0 ? [] : [errors.map(messageWithCauses).join('; ')]),
    ...(cause === undefined ? [] : [messageWithCauses(cause)]),
  ];
  const told = [message, ...inner.filter((text) => text !== '' && !message.includes(text))].filter(
    (text) => text !== '',
  );
  return told.length === 0 ? name : cut(told.join(': '), maxMessage);
}

/** The stack with those of its causes below it, as Node prints them. */
export function stackWithCauses(error: PlainError): string | undefined {
  const { stack, cause, errors = [] } = error;
  const inner = [...errors, ...(cause === undefined ? [] : [cause])].map(
    (one) => `[cause]: ${stackWithCauses(one) ?? `${one.name}: ${one.message}`}`,
  );
  if (stack === undefined && inner.length === 0) return undefined;
  return [stack ?? `${error.name}: ${error.message}`, ...inner].join('\n');
}

/** Whether data from a cell is an error within the bounds above. */
export function isPlainError(value: unknown, depth = 0): value is PlainError {
  if (typeof value !== 'object' || value === null || depth > maxCauseDepth) return false;
  const { name, message, stack, code, cause, errors } = value as Readonly<Record<string, unknown>>;
  return (
    typeof name === 'string' &&
    typeof message === 'string' &&
    (stack === undefined || typeof stack === 'string') &&
    (code === undefined || typeof code === 'string') &&
    (cause === undefined || isPlainError(cause, depth + 1)) &&
    (errors === undefined ||
      (Array.isArray(errors) &&
        errors.length <= maxErrorsOfOne &&
        errors.every((error) => isPlainError(error, depth + 1))))
  );
}
