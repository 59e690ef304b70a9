// An error as plain data. Whatever a plugin throws (null, a text, an object whose getters throw, a circular cause)
// becomes this inside its cell, so that the host only ever sees bounded strings.

export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string;
}

const maxMessage = 2000;
const maxStack = 8000;
const maxName = 100;

const cut = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length)}… (cut)` : text);

/** Reads one property of anything; a getter that throws, or no text, is nothing. */
function textOf(value: object, key: string): string | undefined {
  try {
    const found: unknown = Reflect.get(value, key);
    return typeof found === 'string' ? found : undefined;
  } catch {
    // A getter that throws belongs to the plugin; the error is described without that property.
    return undefined;
  }
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

export function flattenError(thrown: unknown): PlainError {
  if (thrown === null || (typeof thrown !== 'object' && typeof thrown !== 'function')) {
    return { name: 'NonError', message: cut(`threw ${typeof thrown === 'string' ? JSON.stringify(cut(thrown, maxMessage)) : describe(thrown)}, which is not an Error`, maxMessage) };
  }
  const message = textOf(thrown, 'message');
  if (message === undefined) return { name: 'NonError', message: `threw ${cut(describe(thrown), maxMessage)}, which is not an Error` };
  const stack = textOf(thrown, 'stack');
  const code = textOf(thrown, 'code');
  return {
    name: cut(textOf(thrown, 'name') ?? 'Error', maxName),
    message: `${cut(message, maxMessage)}${grantHint(thrown, code)}`,
    ...(stack === undefined ? {} : { stack: cut(stack, maxStack) }),
    ...(code === undefined ? {} : { code: cut(code, maxName) }),
  };
}
