// What every worker of the embedded runtime is given.
import type { Limits } from '../../config/schema.ts';
import type { Logger } from '../../telemetry/daemon-log.ts';
import type { Clock } from '../../time/clock.ts';
import type { WorkerStore } from './worker-record.ts';

export interface WorkerDeps {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  readonly store: WorkerStore;
  newId(): string;
  /** Waiting inputs may begin: all plugins of the start are loaded. */
  mayBegin(): boolean;
  /** Something about a worker that belongs into the timeline of the plugin whose profile it runs. */
  note(profile: string, level: 'warn' | 'error', message: string): void;
}
