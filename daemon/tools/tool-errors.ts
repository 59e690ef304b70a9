// The errors with which calls of tools end, in one place, so that all three kinds of pool read the same to a caller.
import { isPlainError, messageWithCauses } from '../../protocol/cell/plain-error.ts';
import { HostError } from '../../protocol/errors.ts';
import { nearest } from '../../protocol/issues.ts';
import type { ToolIsolation } from '../../protocol/manifest.ts';
import type { ToolAnswer } from '../../protocol/cell/tool-messages.ts';
import { plural } from '../../protocol/plural.ts';
import type { PluginPlace } from '../isolates/entry-linking.ts';
import { withImportPlace } from '../isolates/import-place.ts';
import { type Whereabouts, whereText } from '../isolates/whereabouts.ts';
import type { CallPhase, RunEnd } from './pools/tool-pool.ts';

export interface CallAt {
  readonly toolName: string;
  readonly phase: CallPhase;
  /** From arrival to its beginning in a cell, or to now. */
  readonly waitedMs: number;
}

export function unknownTool(name: string, known: readonly string[]): HostError {
  const meant = nearest(name, known);
  const hint =
    meant === undefined
      ? known.length === 0
        ? 'it has none'
        : `it has ${known.slice(0, 20).join(', ')}`
      : `did you mean "${meant}"?`;
  return new HostError(
    'tool_not_found',
    `The plugin has no tool "${name.slice(0, 64)}"; ${hint}${meant === undefined ? '.' : ''}`,
    { tool: name.slice(0, 64), known: known.slice(0, 20), ...(meant === undefined ? {} : { suggestion: meant }) },
  );
}

export function inputTooLarge(tool: string, bytes: number, maximum: number): HostError {
  return new HostError(
    'payload_too_large',
    `The input has ${String(bytes)} bytes of JSON; at most ${String(maximum)} are allowed; limits.toolInputBytes sets this bound.`,
    { tool, what: 'input', limit: 'limits.toolInputBytes', bytes, maximum },
  );
}

export function overloaded(tool: string, waiting: number, retryAfterMs: number): HostError {
  return new HostError(
    'tool_overloaded',
    `${plural(waiting, "call of this plugin's tools is", "calls of this plugin's tools are")} waiting already, which is the limit. Raise limits.toolQueue to let more wait.`,
    { tool, waiting, limit: 'limits.toolQueue', retryAfterMs },
  );
}

/** A call's own time does not run while its cell is being started. */
const whereItWas: Readonly<Record<Exclude<CallPhase, 'starting' | 'compiling'>, string>> = {
  queued: 'it was waiting for a thread or process',
  checkingInput: 'its input was still being checked; look in its inputSchema for a pattern that takes too long',
  importing: 'the plugin was being imported',
  running: 'it was running',
  checkingOutput: 'its result was still being checked; look in its outputSchema for a pattern that takes too long',
};

/** The cell took longer to be ready than it may. */
export function notStarted(
  { toolName, phase, waitedMs }: CallAt,
  { isolation, startMs }: { readonly isolation: ToolIsolation; readonly startMs: number },
): HostError {
  const cell = isolation === 'process' ? 'process' : 'thread';
  const late =
    phase === 'compiling'
      ? `The inputSchema and outputSchema of tool "${toolName}" were not compiled`
      : `The ${cell} of tool "${toolName}" did not start`;
  return new HostError('tool_timeout', `${late} within ${String(startMs)} ms.`, {
    tool: toolName,
    phase,
    startMs,
    limit: 'limits.toolStartMs',
    waitedMs,
  });
}

export function timedOut({ toolName, phase, waitedMs }: CallAt, timeoutMs: number, where?: Whereabouts): HostError {
  const place = where === undefined || phase.startsWith('checking') ? '' : whereText(where);
  const was = phase === 'starting' || phase === 'compiling' ? whereItWas.queued : whereItWas[phase];
  const message = `The tool "${toolName}" did not answer within ${String(timeoutMs)} ms: ${was}${place === '' ? '' : `, ${place}`}.`;
  return new HostError('tool_timeout', message, {
    tool: toolName,
    phase,
    timeoutMs,
    waitedMs,
    ...(where === undefined ? {} : { where }),
  });
}

const maxReason = 200;

/** Who asked for it stands in the signal's reason. */
export function cancelled({ toolName, phase, waitedMs }: CallAt, reason: unknown): HostError {
  const text = reason instanceof Error ? reason.message : typeof reason === 'string' ? reason : 'the caller';
  return new HostError('tool_cancelled', `The call of tool "${toolName}" was cancelled: ${text.slice(0, maxReason)}.`, {
    tool: toolName,
    by: text.slice(0, maxReason),
    phase,
    waitedMs,
  });
}

/** Whether a tool's plugin could not be imported, and the place of the fault is still to be found. */
export const isImportFailure = ({ details }: HostError): boolean =>
  details['phase'] === 'import' && isPlainError(details['cause']);

export async function withToolImportPlace(error: HostError, plugin: PluginPlace): Promise<HostError> {
  const { cause } = error.details;
  if (!isPlainError(cause)) return error;
  const placed = await withImportPlace(cause, plugin);
  return new HostError(error.code, `The plugin could not be imported: ${messageWithCauses(placed)}`, {
    ...error.details,
    cause: placed,
  });
}

export function refusedByCell(toolName: string, { error }: Extract<ToolAnswer, { ok: false }>): HostError {
  return new HostError(error.code, error.message, { tool: toolName, ...error.details });
}

export function crashed(toolName: string, end: Extract<RunEnd, { kind: 'crashed' }>): HostError {
  const { kind: _kind, reason, error, ...exit } = end;
  return new HostError(
    'tool_crashed',
    `The cell of tool "${toolName}" ended during the call: ${messageWithCauses(error)}`,
    { tool: toolName, reason, cause: error, ...exit },
  );
}

export function neverBegan(toolName: string, { error }: Extract<RunEnd, { kind: 'lost' }>): HostError {
  return new HostError('tool_crashed', `No cell could be started for tool "${toolName}": ${messageWithCauses(error)}`, {
    tool: toolName,
    reason: 'not_started',
    cause: error,
  });
}
