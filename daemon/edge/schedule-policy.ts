// Which runs of a schedule are due now, and what becomes of those that were missed. Pure: when runs fall is a function
// that is passed in, and so is the time.
import type { ScheduleSource } from '../../protocol/sources.ts';

/** Nothing of it is left to the configuration. */
export type DueSchedule = ScheduleSource & { readonly withinMs: number };

/** The first run behind an instant; undefined where there is none. */
export type NextAfter = (afterMs: number) => number | undefined;

/** Asks once for each run: no run lies between an instant and the first one behind it, and to find one takes long. */
export function askedOnce(nextAfter: NextAfter): NextAfter {
  let known: { readonly fromMs: number; readonly nextMs: number | undefined } | undefined;
  return (afterMs) => {
    if (known === undefined || afterMs < known.fromMs || afterMs >= (known.nextMs ?? Infinity))
      known = { fromMs: afterMs, nextMs: nextAfter(afterMs) };
    return known.nextMs;
  };
}

export interface Run {
  readonly atMs: number;
  /** Nobody was there when it was due. */
  readonly missed: boolean;
}

export type LeftOut = 'skip' | 'once' | 'too_old' | 'too_many';

export interface DueRuns {
  /** To be fired now, oldest first. */
  readonly fire: readonly Run[];
  readonly leftOut: readonly { readonly atMs: number; readonly why: LeftOut }[];
  /** Older ones were missed too; so many that they were not counted. */
  readonly more: boolean;
}

/** A run that is fired within this was not missed. */
export const onTimeMs = 2000;
/** More missed runs are not looked at one by one. */
export const mostRuns = 300;

const firstWindowMs = 60_000;

export function dueRuns(
  nextAfter: NextAfter,
  { lastMs, nowMs }: { readonly lastMs: number; readonly nowMs: number },
  { missed, withinMs }: Pick<DueSchedule, 'missed' | 'withinMs'>,
): DueRuns {
  const { runs, more } = newestRuns(nextAfter, lastMs, nowMs);
  const newest = runs.at(-1);
  const isOnTime = newest !== undefined && nowMs - newest <= onTimeMs;
  const late = isOnTime ? runs.slice(0, -1) : runs;
  const leftOut: { atMs: number; why: LeftOut }[] = [];
  const fire: Run[] = [];
  for (const [at, atMs] of late.entries()) {
    const why = whyLeftOut(missed, nowMs - atMs > withinMs, !isOnTime && at === late.length - 1);
    if (why === undefined) fire.push({ atMs, missed: true });
    else leftOut.push({ atMs, why });
  }
  if (isOnTime) fire.push({ atMs: newest, missed: false });
  return { fire, leftOut, more };
}

/** `once`: the newest of those that were missed, unless one is due just now. */
function whyLeftOut(missed: ScheduleSource['missed'], isTooOld: boolean, isNewest: boolean): LeftOut | undefined {
  if (missed === 'skip') return 'skip';
  if (isTooOld) return 'too_old';
  return missed === 'once' && !isNewest ? 'once' : undefined;
}

/** The newest runs behind `fromMs` and up to `toMs`, oldest first: looked for in windows that grow backwards. */
function newestRuns(nextAfter: NextAfter, fromMs: number, toMs: number): { runs: number[]; more: boolean } {
  for (let windowMs = firstWindowMs; ; windowMs *= 2) {
    const startMs = Math.max(fromMs, toMs - windowMs);
    const runs: number[] = [];
    for (let at = nextAfter(startMs); at !== undefined && at <= toMs; at = nextAfter(at)) runs.push(at);
    if (runs.length > mostRuns) return { runs: runs.slice(-mostRuns), more: true };
    if (startMs === fromMs) return { runs, more: false };
  }
}
