// A runtime as a row of a table, and with everything it says of itself.
import type { OperationResult } from '../../../protocol/operations.ts';
import type { RuntimeDiagnostic, RuntimeSummary } from '../../../protocol/runtime.ts';
import { timeText, plural } from './quantity.ts';
import { type Piece, type Style, styled } from './terminal.ts';

const statusStyles: Readonly<Record<RuntimeSummary['status'], Style>> = {
  running: 'green',
  stopped: 'dim',
  unavailable: 'red',
};
const levelStyles: Readonly<Record<RuntimeDiagnostic['level'], Style>> = { info: 'dim', warn: 'yellow', error: 'red' };

export const runtimeHeadings: readonly string[] = [
  'RUNTIME',
  'KIND',
  'STATUS',
  'WORKERS',
  'IDLE',
  'BUSY',
  'STOPPED',
  'FAILED',
];

export function runtimeRow({ runtimeId, kind, status, workers, capabilities }: RuntimeSummary): Piece[] {
  return [
    styled('bold', runtimeId),
    kind,
    styled(statusStyles[status], status),
    `${String(workers.total)}/${String(capabilities.maxWorkers)}`,
    String(workers.idle),
    String(workers.busy),
    String(workers.stopped),
    workers.failed > 0 ? styled('red', String(workers.failed)) : '0',
  ];
}

export function runtimeDetail(runtime: OperationResult<'runtime.show'>): Piece[][] {
  const {
    runtimeId,
    displayName,
    kind,
    status,
    capabilities: { maxWorkers, ...can },
    workers,
    profiles,
    diagnostics,
  } = runtime;
  const row = (label: string, ...pieces: Piece[]): Piece[] => [styled('dim', label.padEnd(12)), ...pieces];
  const able = Object.entries(can)
    .filter(([, yes]) => yes)
    .map(([name]) => wordsOf(name));
  const states = Object.entries(workers).filter(([name, count]) => name !== 'total' && count > 0);
  return [
    [styled('bold', runtimeId), `  ${displayName}`],
    row('kind', kind),
    row('status', styled(statusStyles[status], status)),
    row(
      'workers',
      `${plural(workers.total, 'worker')} of ${String(maxWorkers)}${states.length === 0 ? '' : `: ${states.map(([name, count]) => `${String(count)} ${name}`).join(', ')}`}`,
    ),
    row('can', able.length === 0 ? 'nothing' : able.join(', ')),
    ...profiles.map(({ name, description }, at) =>
      row(at === 0 ? 'profiles' : '', styled('cyan', name), description === '' ? '' : `  ${description}`),
    ),
    ...diagnosticLines(diagnostics),
  ];
}

/** `canListWorkers` is "list workers". */
const wordsOf = (capability: string): string =>
  capability
    .replace(/^can/, '')
    .replaceAll(/(?<!^)[A-Z]/g, (letter) => ` ${letter}`)
    .toLowerCase();

export function diagnosticLines(diagnostics: readonly RuntimeDiagnostic[]): Piece[][] {
  return diagnostics.map(({ at, level, code, message }) => [
    styled('dim', `${timeText(at)} `),
    styled(levelStyles[level], code),
    `: ${message}`,
  ]);
}
