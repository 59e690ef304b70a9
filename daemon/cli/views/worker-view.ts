// A worker as a row of a table, and in full.
import type { InputCancellation, WorkerState, WorkerSummary, WorkerView } from '../../../protocol/runtime.ts';
import { bytesText, durationText, plural } from './quantity.ts';
import { diagnosticLines } from './runtime-view.ts';
import { type Piece, type Style, cut, styled } from './terminal.ts';
import { addressText } from '../worker-address.ts';

const stateStyles: Readonly<Record<WorkerState, Style>> = {
  idle: 'green',
  busy: 'cyan',
  stopped: 'dim',
  cancelled: 'yellow',
  failed: 'red',
};

export const statePiece = (state: WorkerState): Piece => styled(stateStyles[state], state);

export const workerHeadings: readonly string[] = ['WORKER', 'NAME', 'STATE', 'PROFILE', 'ACTIVE', 'INTENT'];

const nameWidth = 24;
const intentWidth = 60;

/** The first column is what every other command takes. */
export function workerRow(worker: WorkerSummary, nowMs: number): Piece[] {
  return [
    addressText(worker),
    ...cut([worker.displayName], nameWidth),
    statePiece(worker.state),
    worker.profile ?? '-',
    agoText(worker.lastActiveAt, nowMs),
    ...cut([worker.intent], intentWidth),
  ];
}

/** Follows the worker's address in a line. */
export function cancellationText({ changed, eventId }: InputCancellation): string {
  if (eventId === null) return ' runs nothing that could be cancelled';
  return changed ? ` ends the input ${eventId}` : `: the input ${eventId} has ended or is being cancelled already`;
}

/** The plugin whose profile it is, where one's is. */
export function pluginOf(profile: string | null): string | undefined {
  const [plugin = '', name] = profile?.split(':') ?? [];
  return name === undefined || plugin === 'builtin' ? undefined : plugin;
}

function agoText(instant: string, nowMs: number): string {
  const agoMs = nowMs - Date.parse(instant);
  // Clocks may differ a little.
  return Number.isNaN(agoMs) ? instant : agoMs < 1000 ? 'now' : `${durationText(agoMs)} ago`;
}

export function workerDetail(worker: WorkerView, nowMs: number): Piece[][] {
  const { implementation, inputs, transcript, capabilities } = worker;
  const row = (label: string, ...pieces: Piece[]): Piece[] => [styled('dim', label.padEnd(12)), ...pieces];
  const plugin = pluginOf(worker.profile);
  const gone = transcript.totalItems - transcript.keptItems;
  return [
    [styled('bold', addressText(worker)), `  ${worker.displayName}`],
    row('state', statePiece(worker.state)),
    row('intent', worker.intent),
    row('profile', worker.profile ?? 'none'),
    row(
      'runs',
      `${implementation.kind}, ${implementation.isolation}, incarnation ${String(implementation.incarnation)}`,
    ),
    row('created', `${agoText(worker.createdAt, nowMs)}, active ${agoText(worker.lastActiveAt, nowMs)}`),
    ...(capabilities.canSendInput
      ? [
          row(
            'inputs',
            `${String(inputs.pending)} of ${String(inputs.capacity)} waiting; takes ${inputs.kinds.join(' and ')}`,
          ),
        ]
      : []),
    ...(inputs.running === null ? [] : [row('running', `the input ${inputs.running}`)]),
    ...(capabilities.canReadTranscript
      ? [
          row(
            'transcript',
            `${plural(transcript.totalItems, 'item')}, ${bytesText(transcript.keptBytes)} kept`,
            gone > 0 ? styled('yellow', `, the oldest ${String(gone)} are gone`) : '',
          ),
        ]
      : []),
    ...(worker.state === 'failed' && plugin !== undefined ? [row('log', `nagaya logs ${plugin}`)] : []),
    ...diagnosticLines(worker.diagnostics),
  ];
}
