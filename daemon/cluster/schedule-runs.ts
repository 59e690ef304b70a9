// The last run of each schedule of a service, as it is known in the cluster: whoever has the service next goes on from
// there, however much later that is.
import { put, storeKey } from '../../protocol/store/change.ts';
import type { RunMemory } from '../services/placed.ts';
import type { PlacedRecords } from './placed-records.ts';

const table = 'runs';

interface LastRun {
  readonly source: string;
  /** Of another time table the last run means nothing. */
  readonly when: string;
  readonly atMs: number;
}

export class ScheduleRuns implements RunMemory {
  readonly #records: PlacedRecords;
  readonly #runs = new Map<string, LastRun>();

  constructor(records: PlacedRecords) {
    this.#records = records;
  }

  /** Of a new lease, from the records. */
  adopt(): void {
    this.#runs.clear();
    for (const { value } of this.#records.inTable(table)) {
      const run = lastRunIn(value);
      if (run !== undefined) this.#runs.set(run.source, run);
    }
  }

  lastRun(source: string, when: string): number | undefined {
    const run = this.#runs.get(source);
    return run?.when === when ? run.atMs : undefined;
  }

  ran(source: string, when: string, atMs: number): void {
    const run: LastRun = { source, when, atMs };
    this.#runs.set(source, run);
    // Nobody waits for it: what is not written may be due once more, and its idempotency key is known for a while.
    this.#records.commit([put(table, storeKey(source), JSON.stringify(run))]).catch(() => undefined);
  }
}

function lastRunIn(text: string): LastRun | undefined {
  try {
    const run = JSON.parse(text) as Partial<Record<keyof LastRun, unknown>> | null;
    const { source, when, atMs } = run ?? {};
    return typeof source === 'string' && typeof when === 'string' && typeof atMs === 'number' && Number.isFinite(atMs)
      ? { source, when, atMs }
      : undefined;
  } catch {
    // No member wrote it.
    return undefined;
  }
}
