// One schedule: is armed for its next run, fires what is due, and makes up for missed runs as it declares. The last run
// is in the store, so that the next daemon knows what was missed.
import type { HostError } from '../../protocol/errors.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { type DueRuns, type DueSchedule, type LeftOut, type NextAfter, type Run, dueRuns } from './schedule-policy.ts';
import type { IntakeOutcome } from './source-intake.ts';
import type { SourceRow } from './source-row.ts';

export interface ScheduleDeps {
  readonly clock: Clock;
  readonly row: SourceRow;
  readonly nextAfter: NextAfter;
  /** The service takes events now. */
  accepts(): boolean;
  /** What comes twice under the same id is accepted once. */
  publish(payload: object, id?: string): Promise<IntakeOutcome>;
  /** Up to where the members of a cluster have made its runs; undefined where that is not known. */
  madeElsewhere(): number | undefined;
  /** The last run up to which nothing is left to do. */
  remember(lastMs: number): void;
  /** For the plugin's timeline. */
  note(event: string, message: string, data: Readonly<Record<string, unknown>>): void;
}

/** The clock may be set while nobody looks. */
const longestSleepMs = 30_000;
const retryMs = 1000;
/** A last run further ahead than this is of a clock that was wrong. */
const wrongClockMs = 86_400_000;

const leftOutWords: Readonly<Record<LeftOut, string>> = {
  skip: 'it is skipped, as the schedule declares',
  once: 'a later run makes up for it',
  too_old: 'it is older than withinMs allows',
  too_many: 'too many were missed',
};

export class Schedule {
  readonly #deps: ScheduleDeps;
  #declared: DueSchedule;
  #lastMs: number;
  #pending: Run[] = [];
  #sending = false;
  #timer: Timer | undefined;
  #closed = false;

  constructor(declared: DueSchedule, lastMs: number, deps: ScheduleDeps) {
    this.#declared = declared;
    this.#lastMs = lastMs;
    this.#deps = deps;
    this.#tick();
  }

  /** How missed runs are made up for may change; when it is due may not. */
  redeclared(declared: DueSchedule): void {
    this.#declared = declared;
  }

  /** The time in which it was paused counts for nothing. */
  pausedOrResumed(): void {
    this.#pending = [];
    this.#lastMs = this.#deps.clock.wallMs();
    this.#deps.remember(this.#lastMs);
    this.#tick();
  }

  async trigger(): Promise<IntakeOutcome> {
    const { clock, publish } = this.#deps;
    const at = instant(clock.wallMs());
    const outcome = await publish({ scheduledAt: at, firedAt: at, missed: false, manual: true });
    this.#count(outcome);
    return outcome;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  readonly #tick = (): void => {
    if (this.#closed) return;
    this.#timer?.cancel();
    const { clock, row, accepts } = this.#deps;
    const nowMs = clock.wallMs();
    if (accepts()) this.#goOnFrom(this.#deps.madeElsewhere());
    if (this.#lastMs - nowMs > wrongClockMs) this.#clockWentBack(nowMs);
    if (row.paused) row.become('paused', nowMs);
    else if (accepts()) this.#fireDue(nowMs);
    else row.become(this.#isDue(nowMs) ? 'retrying' : 'open', nowMs);
    this.#arm(nowMs);
  };

  #goOnFrom(madeMs: number | undefined): void {
    if (madeMs === undefined) return;
    this.#lastMs = Math.max(this.#lastMs, madeMs);
    if (this.#pending.some(({ atMs }) => atMs <= madeMs))
      this.#pending = this.#pending.filter(({ atMs }) => atMs > madeMs);
  }

  #isDue(nowMs: number): boolean {
    const next = this.#deps.nextAfter(this.#lastMs);
    return this.#pending.length > 0 || (next !== undefined && next <= nowMs);
  }

  #fireDue(nowMs: number): void {
    const { row, nextAfter } = this.#deps;
    if (this.#isDue(nowMs)) {
      const due = dueRuns(nextAfter, { lastMs: this.#lastMs, nowMs }, this.#declared);
      this.#tellMissed(due);
      const newestMs = Math.max(
        this.#lastMs,
        ...due.fire.map(({ atMs }) => atMs),
        ...due.leftOut.map(({ atMs }) => atMs),
      );
      this.#lastMs = newestMs;
      this.#pending.push(...due.fire);
      if (this.#pending.length === 0) this.#deps.remember(newestMs);
    }
    if (this.#pending.length === 0) row.become('open', nowMs);
    else void this.#send();
  }

  /** In order; what the service does not take now is tried again. */
  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    const { clock, row, publish, remember } = this.#deps;
    for (let run = this.#pending[0]; run !== undefined && !this.#closed && !row.paused; run = this.#pending[0]) {
      const at = instant(run.atMs);
      const firedAt = instant(clock.wallMs());
      const outcome = await publish({ scheduledAt: at, firedAt, missed: run.missed, manual: false }, `run ${at}`);
      this.#count(outcome);
      if (outcome.outcome === 'refused' && isForNow(outcome.error)) {
        row.become('retrying', clock.wallMs());
        break;
      }
      if (this.#pending[0] !== run) break;
      this.#pending.shift();
      remember(this.#pending.length === 0 ? this.#lastMs : run.atMs);
      if (this.#pending.length === 0) row.become('open', clock.wallMs());
    }
    this.#sending = false;
    if (!this.#closed) this.#arm(clock.wallMs());
  }

  #count(outcome: IntakeOutcome): void {
    const { clock, row } = this.#deps;
    const nowMs = clock.wallMs();
    row.count('received');
    if (outcome.outcome === 'refused') {
      row.count('refused');
      row.fault(outcome.error.code, outcome.error.message, nowMs);
    } else {
      row.count(outcome.outcome === 'accepted' && outcome.duplicate ? 'duplicates' : 'accepted');
      row.happened(nowMs);
    }
  }

  #arm(nowMs: number): void {
    const { clock, row, nextAfter } = this.#deps;
    this.#timer?.cancel();
    const nextMs = nextAfter(Math.max(this.#lastMs, nowMs));
    row.nextMs = row.paused ? undefined : nextMs;
    const waits = !row.paused && (row.state === 'retrying' || this.#isDue(nowMs));
    const untilNext = nextMs === undefined ? longestSleepMs : nextMs - nowMs;
    this.#timer = clock.after(waits ? retryMs : Math.min(longestSleepMs, Math.max(1, untilNext)), this.#tick);
  }

  #tellMissed({ fire, leftOut, more }: DueRuns): void {
    const { note } = this.#deps;
    const { name } = this.#declared;
    if (more)
      note(
        'runs_missed',
        `The schedule ${name} missed more runs than are told one by one; the older ones are left out.`,
        { source: name },
      );
    for (const { atMs, why } of leftOut)
      note('run_missed', `The schedule ${name} missed its run of ${instant(atMs)}: ${leftOutWords[why]}.`, {
        source: name,
        scheduledAt: instant(atMs),
        done: why,
      });
    for (const { atMs, missed } of fire)
      if (missed)
        note('run_missed', `The schedule ${name} missed its run of ${instant(atMs)}: it is made up for now.`, {
          source: name,
          scheduledAt: instant(atMs),
          done: 'fired',
        });
  }

  #clockWentBack(nowMs: number): void {
    this.#deps.note(
      'clock_went_back',
      `The schedule ${this.#declared.name} goes on from now: its last run, ${instant(this.#lastMs)}, lies in the future, so the clock was wrong.`,
      { source: this.#declared.name },
    );
    this.#lastMs = nowMs;
    this.#deps.remember(nowMs);
  }
}

/** The same run may be accepted later. */
const isForNow = ({ code, retryable }: HostError): boolean =>
  retryable || ['service_stopped', 'service_failed', 'service_unavailable'].includes(code);

const instant = (ms: number): string => new Date(ms).toISOString();
