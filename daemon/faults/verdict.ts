// From what was seen to a judgement, by rules that can be read and tested without a daemon. Contained means: the daemon
// lives, the neighbour answers rightly, the caller got what it should in time, the slot works again, nothing is left.
import { plural } from '../../protocol/plural.ts';
import {
  type Fault,
  type Goals,
  type Place,
  type ThreadHold,
  backGoalMs,
  bounds,
  goals,
  sharesProcess,
} from './fault.ts';
import type { Left, Observation } from './observation.ts';

/**
 * `contained` may be so because the guard refused the deed: `denied`. `by the guardian`: the daemon died, was brought
 * back, named the plugin and ran it as a process. `given up` is what the catalogue says threads can do at most about
 * it. Only `not contained` is a fault of the daemon's.
 */
export type Verdict = 'contained' | 'denied' | 'by the guardian' | 'given up' | 'not run' | 'not contained';

/** In milliseconds; null where there was nothing to measure. */
export interface Figures {
  readonly answeredMs: number | null;
  readonly deadlineMs: number | null;
  readonly neighbourGapMs: number | null;
  readonly recoveredMs: number | null;
}

export interface Row extends Figures {
  readonly id: string;
  readonly group: string;
  readonly what: string;
  readonly listed: boolean;
  readonly verdict: Verdict;
  /** How the caller was answered: a code of the error registry, or `answer`. */
  readonly answered: string | null;
  readonly left: Left | null;
  /** In words, as the operator is told. */
  readonly cause: string;
  /** Why it is not contained, or why threads do not hold it. */
  readonly problems: readonly string[];
  /** Goals that were missed though it is contained. */
  readonly late: readonly string[];
  readonly peakMb: number;
}

const denial =
  /ERR_NAGAYA_DENIED|ERR_ACCESS_DENIED|is not allowed in a (?:thread )?cell|Access to this API has been restricted/;

const round = (ms: number): number => Math.round(ms * 10) / 10;

const unmeasured: Figures = { answeredMs: null, deadlineMs: null, neighbourGapMs: null, recoveredMs: null };

export function notRun(fault: Fault, why: string): Row {
  const { id, group, what, listed } = fault;
  return {
    id,
    group,
    what,
    listed,
    ...unmeasured,
    verdict: 'not run',
    answered: null,
    left: null,
    cause: why,
    problems: [],
    late: [],
    peakMb: 0,
  };
}

export function judge(fault: Fault, place: Place, seen: Observation, rssDriftMb: number): Row {
  const hold: ThreadHold = sharesProcess(place) ? fault.threads : { hold: 'contains' };
  const givesUp = hold.hold === 'givesUp';
  const figures = figuresOf(seen);
  const problems = [
    ...problemsOf(fault, place, seen),
    ...slower(figures, bounds),
    ...(givesUp ? [] : leaks(seen.left, rssDriftMb)),
  ];
  const { id, group, what, listed } = fault;
  const contained: Verdict =
    seen.byGuardian === true ? 'by the guardian' : denial.test(seen.cause) ? 'denied' : 'contained';
  const heldBack = stays(hold, seen, rssDriftMb) ? 'given up' : contained;
  return {
    id,
    group,
    what,
    listed,
    verdict: problems.length > 0 ? 'not contained' : heldBack,
    answered: seen.answer.kind === 'none' ? null : (seen.answer.code ?? 'answer'),
    ...figures,
    left: seen.left,
    cause: seen.cause.split('\n')[0] ?? '',
    problems: problems.length > 0 ? problems : heldBack === 'given up' && hold.hold !== 'contains' ? [hold.why] : [],
    late:
      problems.length > 0
        ? []
        : slower(figures, seen.byGuardian === true ? { ...goals, recoveryMs: backGoalMs } : goals),
    peakMb: Math.round(seen.peakMb),
  };
}

/** A thread that may take the daemon down may also go on inside V8 for longer than the kit waits. */
const stays = ({ hold }: ThreadHold, seen: Observation, rssDriftMb: number): boolean =>
  hold === 'givesUp' ? leaks(seen.left, rssDriftMb).length > 0 : hold === 'dies' && seen.unkillable > 0;

const figuresOf = ({ answer, neighbour, recovery }: Observation): Figures => ({
  answeredMs: answer.kind === 'none' ? null : round(answer.ms),
  deadlineMs: answer.deadlineMs,
  neighbourGapMs: neighbour === null ? null : round(neighbour.longestGapMs),
  recoveredMs: recovery.ms === null ? null : round(recovery.ms),
});

function problemsOf(fault: Fault, place: Place, seen: Observation): string[] {
  const { answer, death, neighbour, recovery } = seen;
  if (death !== null) {
    if (death.overCeiling) return ['the daemon grew beyond all bounds, and the kit ended it'];
    return [`the daemon died (${death.signal ?? `exit code ${String(death.code)}`})`];
  }
  const problems = [...new Set(seen.problems)];
  problems.push(...answerProblems(fault, answer));
  if (fault.crashesLater === true && place.subject === 'service' && answer.kind === 'answer' && !seen.crashedLater)
    problems.push('what went wrong after the answer was not told');
  if (answer.kind !== 'none') problems.push(...recoveryProblems(fault, recovery));
  if (neighbour !== null && neighbour.answers === 0) problems.push('the neighbour never answered');
  if (neighbour?.wrong != null) problems.push(neighbour.wrong);
  return problems;
}

function recoveryProblems(fault: Fault, recovery: Observation['recovery']): string[] {
  if (fault.group !== 'daemon' && recovery.ms === null) return ['it did not work again'];
  return recovery.by === 'command' && fault.needsRepair !== true
    ? ['it worked again only after it was started by hand']
    : [];
}

function answerProblems(fault: Fault, answer: Observation['answer']): string[] {
  if (answer.kind === 'none') return ['the caller was not answered'];
  if (answer.kind !== 'wrong' && fault.answers.includes(answer.kind)) return [];
  return [`the caller was answered ${answer.code ?? 'with a result'}: ${answer.message}`];
}

function slower({ answeredMs, deadlineMs, neighbourGapMs, recoveredMs }: Figures, allowed: Goals): string[] {
  const over = (what: string, ms: number | null, most: number): string[] =>
    ms !== null && ms > most ? [`${what} after ${String(Math.round(ms))} ms; ${String(most)} are allowed`] : [];
  return [
    ...over('answered', answeredMs, (deadlineMs ?? 0) + allowed.answerMs),
    ...over('the neighbour answered again', neighbourGapMs, allowed.neighbourMs),
    ...over('worked again', recoveredMs, allowed.recoveryMs),
  ];
}

/**
 * One row of several trials of the same fault: what went wrong in any of them went wrong, and of each figure the middle
 * one counts.
 */
export function middleOf(rows: readonly [Row, ...Row[]]): Row {
  const worst = rows.find(({ verdict }) => verdict === 'not contained');
  if (worst !== undefined) return worst;
  const middle = (figure: keyof Figures): number | null => {
    const sorted = rows
      .map((row) => row[figure])
      .filter((ms) => ms !== null)
      .sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? null;
  };
  const figures: Figures = {
    answeredMs: middle('answeredMs'),
    deadlineMs: middle('deadlineMs'),
    neighbourGapMs: middle('neighbourGapMs'),
    recoveredMs: middle('recoveredMs'),
  };
  return {
    ...rows[0],
    ...figures,
    late: slower(figures, rows[0].verdict === 'by the guardian' ? { ...goals, recoveryMs: backGoalMs } : goals),
  };
}

function leaks(left: Left | null, rssDriftMb: number): string[] {
  if (left === null) return [];
  const { threads, descriptors, sockets, processes, rssMb } = left;
  const counted = (
    [
      ['thread', threads],
      ['process', processes],
      ['descriptor', descriptors],
      ['socket', sockets],
    ] as const
  ).filter(([, count]) => count > 0);
  const things = counted.map(([name, count]) => plural(count, name, name === 'process' ? 'processes' : undefined));
  if (rssMb > rssDriftMb) things.push(`${String(rssMb)} MB`);
  return things.length === 0 ? [] : [`left behind: ${things.join(', ')}`];
}

export interface Summary {
  readonly faults: number;
  readonly contained: number;
  readonly denied: number;
  /** The daemon died, and the guardian brought it back. */
  readonly byGuardian: number;
  readonly givenUp: number;
  readonly notRun: number;
  readonly notContained: number;
  /** Contained and within every goal. */
  readonly inTime: number;
  readonly daemonDeaths: number;
}

export function summaryOf(rows: readonly Row[]): Summary {
  const count = (verdict: Verdict): number => rows.filter((row) => row.verdict === verdict).length;
  return {
    faults: rows.length,
    contained: count('contained'),
    denied: count('denied'),
    byGuardian: count('by the guardian'),
    givenUp: count('given up'),
    notRun: count('not run'),
    notContained: count('not contained'),
    inTime: rows.filter(
      ({ verdict, late }) =>
        (verdict === 'contained' || verdict === 'denied' || verdict === 'by the guardian') && late.length === 0,
    ).length,
    daemonDeaths: rows.filter(({ problems }) =>
      problems.some((problem) => problem.startsWith('the daemon died') || problem.startsWith('the daemon grew')),
    ).length,
  };
}
