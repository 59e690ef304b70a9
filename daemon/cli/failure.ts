// How the command ends when something is wrong: which exit code a failure has, and how it is told to a person or,
// with --json, to a program. Every failure carries a code of the registry, also those made here.
import { type ErrorCode, HostError, type Issue } from '../../protocol/errors.ts';
import { maxCauseDepth } from '../../protocol/cell/plain-error.ts';
import type { Whereabouts } from '../isolates/whereabouts.ts';
import { type NamedArguments, remedyOf } from './remedy.ts';
import { type Piece, type Terminal, printable, styled } from './views/terminal.ts';

export const exitCodes = { fine: 0, failed: 1, usage: 2, noDaemon: 3, refused: 4 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A failure found by the command itself; a HostError that comes by itself was answered by the daemon. */
export class CommandFailure extends Error {
  readonly error: HostError;
  readonly exitCode: ExitCode;
  readonly remedy: string;

  constructor(exitCode: ExitCode, error: HostError, remedy: string = remedyOf(error)) {
    super(error.message);
    this.name = 'CommandFailure';
    this.error = error;
    this.exitCode = exitCode;
    this.remedy = remedy;
  }
}

export function usageFailure(message: string, remedy: string): CommandFailure {
  return new CommandFailure(exitCodes.usage, new HostError('invalid_request', message), remedy);
}

export function localFailure(error: HostError, remedy?: string): CommandFailure {
  return new CommandFailure(exitCodes.failed, error, remedy);
}

/** Codes that no daemon answers with: they come about on this side of the socket. */
const ownCodes: Partial<Record<ErrorCode, ExitCode>> = {
  daemon_unreachable: exitCodes.noDaemon,
  already_running: exitCodes.noDaemon,
  connection_closed: exitCodes.failed,
  config_invalid: exitCodes.failed,
  socket_unusable: exitCodes.failed,
  port_unusable: exitCodes.failed,
  guardian_version: exitCodes.failed,
  state_unusable: exitCodes.failed,
  state_in_use: exitCodes.noDaemon,
};

const exitCodeOf = (error: HostError): ExitCode => ownCodes[error.code] ?? exitCodes.refused;

export function asFailure(thrown: unknown, named: NamedArguments = {}): CommandFailure {
  if (thrown instanceof CommandFailure) return thrown;
  if (thrown instanceof HostError) return new CommandFailure(exitCodeOf(thrown), thrown, remedyOf(thrown, named));
  const message = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return localFailure(
    new HostError('internal', `The command failed in a way it did not foresee: ${message}`),
    'Report it with the command line you used.',
  );
}

export function reportFailure(terminal: Terminal, failure: CommandFailure): void {
  const { error, remedy } = failure;
  if (terminal.json) {
    terminal.complainRecord({ ...error.toWire(), remedy });
    return;
  }
  const [first = '', ...rest] = printable(error.message).split('\n');
  terminal.complain(styled('red', 'nagaya: '), first);
  for (const line of rest) terminal.complain('  ', line);
  for (const line of detailLines(error)) terminal.complain('  ', ...line);
  terminal.complain('  ', styled('bold', 'remedy: '), forPeople(remedy));
}

/** Remedies speak of `details`, which a person has just read above. */
function forPeople(remedy: string): string {
  return remedy.replace('`details.issues` names', 'is named above').replaceAll(/`details\.(\w+)`/g, '`$1`');
}

/** Already said by the message, or shown in a form of their own. */
const shownElsewhere = new Set([
  'inFiles',
  'issues',
  'cause',
  'lastError',
  'lastFailure',
  'where',
  'instead',
  'stack',
  'socket',
  'reason',
]);

function detailLines(error: HostError): Piece[][] {
  const { details } = error;
  const lines: Piece[][] = [];
  const issues = issuesIn(details['issues']);
  // A single one is in the message already.
  const told = issues.length === 1 && error.message.includes(issues[0]?.message ?? '');
  for (const issue of told ? [] : issues)
    lines.push([styled('yellow', issue.path === '' ? '(the whole)' : issue.path), ': ', issue.message]);
  lines.push(
    ...causeLines(details['cause'] ?? details['lastError']),
    ...lastFailureLines(details['lastFailure']),
    ...whereLines(details['where']),
  );
  if (typeof details['stack'] === 'string') lines.push(...stackLines(details['stack']));
  for (const [key, value] of Object.entries(details)) {
    if (shownElsewhere.has(key) || value === null || value === undefined) continue;
    lines.push([styled('dim', `${key}: `), typeof value === 'string' ? value : JSON.stringify(value)]);
  }
  return lines;
}

/** What failed before, with the place in the plugin where it came up. */
function lastFailureLines(failure: unknown): Piece[][] {
  if (typeof failure !== 'object' || failure === null) return [];
  const { code, message, stack } = failure as { code?: unknown; message?: unknown; stack?: unknown };
  const place = typeof stack === 'string' ? stackLines(stack).slice(0, 1) : [];
  return [['last failure: ', `${String(code)}: ${String(message)}`], ...place];
}

function whereLines(where: unknown): Piece[][] {
  const { frames } = (where ?? {}) as Partial<Whereabouts>;
  if (!Array.isArray(frames)) return [];
  return (frames as Whereabouts['frames']).map(({ function: name, file, line, column }) => [
    styled('dim', `    at ${name} (${file}:${String(line)}:${String(column)})`),
  ]);
}

function issuesIn(value: unknown): Issue[] {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (row: unknown): row is Issue =>
      typeof row === 'object' &&
      row !== null &&
      'path' in row &&
      'message' in row &&
      typeof row.path === 'string' &&
      typeof row.message === 'string',
  );
}

/** The plugin's own error: a text, or a plain error with its stack and with what it was caused by. */
export function causeLines(cause: unknown, depth = 0): Piece[][] {
  if (typeof cause === 'string') return [['cause: ', cause]];
  if (typeof cause !== 'object' || cause === null || depth > maxCauseDepth) return [];
  const {
    name,
    code,
    message,
    stack,
    cause: inner,
    errors,
  } = cause as {
    name?: unknown;
    code?: unknown;
    message?: unknown;
    stack?: unknown;
    cause?: unknown;
    errors?: unknown;
  };
  const title = [name ?? code, message].filter((part) => typeof part === 'string' && part !== '').join(': ');
  const innerLines = [...(Array.isArray(errors) ? (errors as unknown[]) : []), inner].flatMap((one) =>
    causeLines(one, depth + 1),
  );
  return [['cause: ', title], ...(typeof stack === 'string' ? stackLines(stack) : []), ...innerLines];
}

function stackLines(stack: string): Piece[][] {
  return printable(stack)
    .split('\n')
    .filter((line) => /^\s*(?:at |\[cause\]: )/.test(line))
    .map((line) => [styled('dim', `    ${line.trim()}`)]);
}
