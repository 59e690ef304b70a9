// Why an input failed, in the codes of the registry and in words about a worker's program.
import type { EventFailure } from '../../../protocol/cell/messages.ts';
import { HostError } from '../../../protocol/errors.ts';
import type { CellEnd } from '../../cells/cell.ts';
import { type Whereabouts, whereText } from '../../isolates/whereabouts.ts';
import { type Redact, causeOf, causeText, endOutsideText } from '../../dispatch/plugin-error.ts';

export function threwError(failure: EventFailure, redact: Redact): HostError {
  const cause = causeOf(failure.error, redact);
  return new HostError('dispatch_failed', `The program failed: ${causeText(cause)}`, { cause });
}

export function overranError(ranMs: number, timeoutMs: number, where: Whereabouts): HostError {
  const place = whereText(where);
  return new HostError(
    'dispatch_timeout',
    `The program did not finish within ${String(timeoutMs)} ms${place === '' ? '' : `: ${place}`}; its cell is ended.`,
    { phase: 'running', timeoutMs, ranMs: Math.round(ranMs), where },
  );
}

export function stalledError(idleMs: number): HostError {
  return new HostError(
    'cell_crashed',
    `The program's cell did not begin the input within ${String(Math.round(idleMs))} ms: something an earlier input left behind holds its thread.`,
    { reason: 'stalled' },
  );
}

export function endedError(end: CellEnd, duringInput: boolean, redact: Redact): HostError {
  const cause = causeOf(end.error, redact);
  const message = duringInput
    ? `The program's cell ended during the input: ${causeText(cause)}`
    : endOutsideText(end.reason, 'input', cause);
  return new HostError('cell_crashed', message, { reason: end.reason, exitCode: end.exitCode, cause });
}

export function noSeatError(waitedMs: number, cells: number): HostError {
  return new HostError(
    'dispatch_timeout',
    `The input waited ${String(waitedMs)} ms for a cell: as many workers are busy as limits.workerCells (${String(cells)}) allows.`,
    { phase: 'queued', timeoutMs: waitedMs, limit: 'limits.workerCells' },
  );
}
