// All schedules. They are the host's own: nothing of the network is parsed for them, and they go by the host's clock.
import { Cron } from 'croner';
import { HostError } from '../../protocol/errors.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import type { ScheduleSource } from '../../protocol/sources.ts';
import type { Clock } from '../time/clock.ts';
import type { LastRuns } from './last-runs.ts';
import { Schedule } from './schedule.ts';
import { type DueSchedule, type NextAfter, askedOnce } from './schedule-policy.ts';
import { SourceIntake, type SourceService } from './source-intake.ts';
import type { SourceRow } from './source-row.ts';

export interface SchedulesOptions {
  readonly clock: Clock;
  readonly lastRuns: LastRuns;
  /** Of schedules that do not say. */
  readonly withinMs: number;
  service(plugin: string): SourceService | undefined;
  note(plugin: string, event: string, message: string, data: Readonly<Record<string, unknown>>): void;
}

interface Held {
  readonly schedule: Schedule;
  readonly row: SourceRow;
  readonly when: string;
}

export class Schedules {
  readonly #options: SchedulesOptions;
  readonly #held = new Map<string, Held>();

  constructor(options: SchedulesOptions) {
    this.#options = options;
  }

  /** The whole list: one that is not in it ends. */
  declare(rows: readonly SourceRow[]): void {
    const declared = new Set(rows);
    for (const [key, { row, schedule }] of this.#held) {
      if (declared.has(row)) continue;
      schedule.close();
      this.#held.delete(key);
    }
    for (const row of rows) this.#declareOne(row);
  }

  pausedOrResumed(key: string): void {
    this.#held.get(key)?.schedule.pausedOrResumed();
  }

  async trigger(key: string): Promise<OperationResult<'source.trigger'>> {
    const outcome = await this.#held.get(key)?.schedule.trigger();
    if (outcome?.outcome === 'accepted')
      return { accepted: true, eventId: outcome.eventId, correlationId: outcome.correlationId };
    throw outcome?.outcome === 'refused' ? outcome.error : new HostError('internal', 'The schedule is not there.');
  }

  close(): void {
    for (const { schedule } of this.#held.values()) schedule.close();
    this.#held.clear();
  }

  #declareOne(row: SourceRow): void {
    const { declaration: declared } = row.declared;
    if (declared.type !== 'schedule') return;
    const declaration: DueSchedule = { ...declared, withinMs: declared.withinMs ?? this.#options.withinMs };
    const when = `${declaration.cron} ${declaration.timezone}`;
    const held = this.#held.get(row.key);
    if (held?.when === when) {
      held.schedule.redeclared(declaration);
      return;
    }
    held?.schedule.close();
    this.#held.set(row.key, { row, when, schedule: this.#begin(row, declaration, when) });
  }

  #begin(row: SourceRow, declaration: DueSchedule, when: string): Schedule {
    const { clock, lastRuns, service, note } = this.#options;
    const { plugin } = row.declared;
    const { name } = declaration;
    const intake = new SourceIntake(row.key);
    const known = lastRuns.get(row.key, when);
    // From now on the next daemon knows since when it is declared.
    if (known === undefined) lastRuns.set(row.key, when, clock.wallMs());
    return new Schedule(declaration, known ?? clock.wallMs(), {
      clock,
      row,
      nextAfter: nextAfterOf(declaration),
      accepts: () => {
        const target = service(plugin);
        return target?.subscribes === true && ['running', 'starting'].includes(target.lifecycle);
      },
      madeElsewhere: () => service(plugin)?.runs?.lastRun(name, when),
      remember: (lastMs) => {
        lastRuns.set(row.key, when, lastMs);
        service(plugin)?.runs?.ran(name, when, lastMs);
      },
      note: (event, message, data) => note(plugin, event, message, data),
      publish: async (payload, id) => {
        const target = service(plugin);
        if (target === undefined)
          return {
            outcome: 'refused',
            error: new HostError('service_unavailable', `The service of ${plugin} is not there.`, { plugin }),
          };
        const { ingress, kind } = declaration;
        return await intake.take(target, {
          ingress,
          kind,
          source: name,
          payload: JSON.stringify(payload),
          ...(id === undefined ? {} : { senderId: `${name}:${id}`.replaceAll(' ', ':') }),
        });
      },
    });
  }
}

export function nextAfterOf({ cron, timezone }: Pick<ScheduleSource, 'cron' | 'timezone'>): NextAfter {
  const job = new Cron(cron, { timezone, paused: true });
  return askedOnce((afterMs) => job.nextRun(new Date(afterMs))?.getTime());
}
