// From what was seen to a judgement, by rules that can be read and tested without a daemon. Contained means: the daemon
// lives, the neighbour answers rightly, the caller got what it should in time, the slot works again, nothing is left.
import { type Fault, type Goals, type Place, type ThreadHold, bounds, goals, sharesProcess } from './fault.ts';
import type { Left, Observation } from './observation.ts';

/**
 * `contained` may be so because the guard refused the deed: `denied`. `given up` is what the catalogue says threads can do at
 * most about it, and `not run` what they cannot at all. Only `not contained` is a fault of the daemon's.
 */
export type Verdict = 'contained' | 'denied' | 'given up' | 'not run' | 'not contained';

export interface Row {
  readonly id: string;
  readonly group: string;
  readonly what: string;
  readonly listed: boolean;
  readonly verdict: Verdict;
  /** How the caller was answered: a code of the error registry, or `answer`. */
  readonly answered: string | null;
  readonly answeredMs: number | null;
  readonly deadlineMs: number | null;
  readonly neighbourGapMs: number | null;
  readonly recoveredMs: number | null;
  readonly left: Left | null;
  /** In words, as the operator is told. */
  readonly cause: string;
  /** Why it is not contained, or why threads do not hold it. */
  readonly problems: readonly string[];
  /** Goals that were missed though it is contained. */
  readonly late: readonly string[];
  readonly peakMb: number;
}

const denial = /ERR_NAGAYA_DENIED|ERR_ACCESS_DENIED|is not allowed in a (?:thread )?cell|Access to this API has been restricted/;

const round = (ms: number): number => Math.round(ms * 10) / 10;

export function notRun(fault: Fault, why: string): Row {
  const { id, group, what, listed } = fault;
  return { id, group, what, listed, verdict: 'not run', answered: null, answeredMs: null, deadlineMs: null, neighbourGapMs: null, recoveredMs: null, left: null, cause: why, problems: [], late: [], peakMb: 0 };
}

export function judge(fault: Fault, place: Place, seen: Observation, rssDriftMb: number): Row {
  const hold: ThreadHold = sharesProcess(place) ? fault.threads : { hold: 'contains' };
  const givesUp = hold.hold === 'givesUp';
  const problems = [...problemsOf(fault, place, seen), ...slower(seen, bounds), ...(givesUp ? [] : leaks(seen.left, rssDriftMb))];
  const { id, group, what, listed } = fault;
  const contained: Verdict = denial.test(seen.cause) ? 'denied' : 'contained';
  const heldBack = givesUp && leaks(seen.left, rssDriftMb).length > 0 ? 'given up' : contained;
  return {
    id,
    group,
    what,
    listed,
    verdict: problems.length > 0 ? 'not contained' : heldBack,
    ...figuresOf(seen),
    left: seen.left,
    cause: seen.cause.split('\n')[0] ?? '',
    problems: problems.length > 0 ? problems : heldBack === 'given up' && hold.hold !== 'contains' ? [hold.why] : [],
    late: problems.length > 0 ? [] : slower(seen, goals),
    peakMb: Math.round(seen.peakMb),
  };
}

function figuresOf({ answer, neighbour, recovery }: Observation): Pick<Row, 'answered' | 'answeredMs' | 'deadlineMs' | 'neighbourGapMs' | 'recoveredMs'> {
  const none = answer.kind === 'none';
  return {
    answered: none ? null : (answer.code ?? 'answer'),
    answeredMs: none ? null : round(answer.ms),
    deadlineMs: answer.deadlineMs,
    neighbourGapMs: neighbour === null ? null : round(neighbour.longestGapMs),
    recoveredMs: recovery.ms === null ? null : round(recovery.ms),
  };
}

function problemsOf(fault: Fault, place: Place, seen: Observation): string[] {
  const { answer, death, neighbour, recovery } = seen;
  if (death !== null) {
    if (death.overCeiling) return ['the daemon grew beyond all bounds, and the kit ended it'];
    return [`the daemon died (${death.signal ?? `exit code ${String(death.code)}`})`];
  }
  const problems = [...new Set(seen.problems)];
  problems.push(...answerProblems(fault, answer));
  if (fault.crashesLater === true && place.subject === 'service' && answer.kind === 'answer' && !seen.crashedLater) problems.push('what went wrong after the answer was not told');
  if (fault.group !== 'daemon' && answer.kind !== 'none' && recovery.ms === null) problems.push('it did not work again');
  if (recovery.by === 'command') problems.push('it worked again only after it was started by hand');
  if (neighbour !== null && neighbour.answers === 0) problems.push('the neighbour never answered');
  if (neighbour?.wrong != null) problems.push(neighbour.wrong);
  return problems;
}

function answerProblems(fault: Fault, answer: Observation['answer']): string[] {
  if (answer.kind === 'none') return ['the caller was not answered'];
  if (answer.kind !== 'wrong' && fault.answers.includes(answer.kind)) return [];
  return [`the caller was answered ${answer.code ?? 'with a result'}: ${answer.message}`];
}

function slower({ answer, neighbour, recovery }: Observation, allowed: Goals): string[] {
  const slow: string[] = [];
  const over = (what: string, ms: number, most: number): void => {
    if (ms > most) slow.push(`${what} after ${String(Math.round(ms))} ms; ${String(most)} are allowed`);
  };
  if (answer.kind !== 'none') over('answered', answer.ms, answer.deadlineMs + allowed.answerMs);
  if (neighbour !== null) over('the neighbour answered again', neighbour.longestGapMs, allowed.neighbourMs);
  if (recovery.ms !== null) over('worked again', recovery.ms, allowed.recoveryMs);
  return slow;
}

function leaks(left: Left | null, rssDriftMb: number): string[] {
  if (left === null) return [];
  const { threads, descriptors, sockets, processes, rssMb } = left;
  const counted = ([['thread', threads], ['process', processes], ['descriptor', descriptors], ['socket', sockets]] as const).filter(([, count]) => count > 0);
  const things = counted.map(([name, count]) => `${String(count)} ${count === 1 ? name : name === 'process' ? 'processes' : `${name}s`}`);
  if (rssMb > rssDriftMb) things.push(`${String(rssMb)} MB`);
  return things.length === 0 ? [] : [`left behind: ${things.join(', ')}`];
}

export interface Summary {
  readonly faults: number;
  readonly contained: number;
  readonly denied: number;
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
    givenUp: count('given up'),
    notRun: count('not run'),
    notContained: count('not contained'),
    inTime: rows.filter(({ verdict, late }) => (verdict === 'contained' || verdict === 'denied') && late.length === 0).length,
    daemonDeaths: rows.filter(({ problems }) => problems.some((problem) => problem.startsWith('the daemon died') || problem.startsWith('the daemon grew'))).length,
  };
}
