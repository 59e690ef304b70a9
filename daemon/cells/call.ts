// One call to a cell, raced against its deadline and the cell's end: comlink's own promise never settles once the
// other side is gone.
import { fileURLToPath } from 'node:url';
import type { CellAnswer, StartedService } from '../../protocol/cell/messages.ts';
import { isPlainError } from '../../protocol/cell/plain-error.ts';
import { awakeTime } from '../time/awake-time.ts';
import { withImportPlace } from '../isolates/import-place.ts';
import type { CallOutcome, CellEnd, LoadedService } from './cell.ts';
import { isStateChanges } from './cell-message.ts';

export class CellCalls {
  readonly #pending = new Set<(outcome: { ok: false; phase: 'ended'; end: CellEnd }) => void>();
  #end: CellEnd | undefined;

  run<Value>(
    call: () => Promise<unknown>,
    isValue: (value: unknown) => value is Value,
    deadlineMs: number,
  ): Promise<CallOutcome<Value>> {
    if (this.#end !== undefined) return Promise.resolve({ ok: false, phase: 'ended', end: this.#end });
    return new Promise((resolve) => {
      const settle = (outcome: CallOutcome<Value>): void => {
        timer.cancel();
        this.#pending.delete(settle);
        resolve(outcome);
      };
      const timer = awakeTime.after(deadlineMs, () => settle({ ok: false, phase: 'deadline' }));
      this.#pending.add(settle);
      call().then(
        (answer) => settle(checkedAnswer(answer, isValue)),
        (error: unknown) => settle(malformed(error instanceof Error ? error.message : 'no error given')),
      );
    });
  }

  cellEnded(end: CellEnd): void {
    this.#end = end;
    for (const settle of this.#pending) settle({ ok: false, phase: 'ended', end });
  }
}

const malformed = (why: string): CellAnswer<never> => ({
  ok: false,
  phase: 'exports',
  error: { name: 'MalformedAnswer', message: `the cell answered in a way the host does not take: ${why}` },
});

export const isNull = (value: unknown): value is null => value === null;
export const isStartedService = (value: unknown): value is StartedService =>
  typeof value === 'object' &&
  value !== null &&
  'state' in value &&
  (value.state === null || isStateChanges(value.state));
export const isLoadedService = (value: unknown): value is LoadedService =>
  typeof value === 'object' &&
  value !== null &&
  'hasStatus' in value &&
  typeof value.hasStatus === 'boolean' &&
  'hasStop' in value &&
  typeof value.hasStop === 'boolean';

/** A cell's answer is data from where the plugin lives: only the expected shape is let through. */
function checkedAnswer<Value>(answer: unknown, isValue: (value: unknown) => value is Value): CellAnswer<Value> {
  if (typeof answer !== 'object' || answer === null || !('ok' in answer)) return malformed('it is no answer');
  if (answer.ok === true)
    return 'value' in answer && isValue(answer.value)
      ? { ok: true, value: answer.value }
      : malformed('its value has another shape');
  const { phase, error } = answer as { phase?: unknown; error?: unknown };
  if (phase !== 'import' && phase !== 'start' && phase !== 'status' && phase !== 'stop' && phase !== 'exports')
    return malformed('its phase is unknown');
  return isPlainError(error) ? { ok: false, phase, error } : malformed('its error is none');
}

/** The outcome of loading the plugin; where its import failed, the error says in which file and line. */
export async function withPlace<Value>(
  outcome: CallOutcome<Value>,
  folder: string,
  entryUrl: string,
): Promise<CallOutcome<Value>> {
  if (outcome.ok || outcome.phase !== 'import') return outcome;
  return { ...outcome, error: await withImportPlace(outcome.error, { folder, entry: fileURLToPath(entryUrl) }) };
}
