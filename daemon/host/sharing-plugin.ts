// A loaded plugin as its share of the processor is kept: what its cells have used, and what it is told.
import type { CpuShare } from '../../protocol/status.ts';
import { cellMeters } from '../isolates/cell-meters.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import type { Service } from '../services/service.ts';
import type { RunningTools } from '../tools/running-tools.ts';
import type { SharingPlugin } from './cpu-shares.ts';

interface Subject {
  readonly id: string;
  readonly plugin: LoadedPlugin;
  readonly service: Service | undefined;
  allTools(): readonly Pick<RunningTools, 'hold'>[];
  tell(event: string, message: string): void;
}

export class Sharing implements SharingPlugin {
  readonly #subject: Subject;
  #view: CpuShare | null = null;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  get id(): string {
    return this.#subject.id;
  }

  get cpuShare(): number | undefined {
    return this.#subject.plugin.manifest.limits.cpuShare;
  }

  /** Null where it has no bound. */
  get view(): CpuShare | null {
    return this.#view;
  }

  usedMs(): number {
    cellMeters.measure(this.id);
    return cellMeters.cpuMs(this.id);
  }

  lower(): void {
    cellMeters.lower(this.id);
  }

  held(share: CpuShare | null): void {
    this.#view = share;
    this.#subject.service?.holdToShare(share);
    for (const tools of this.#subject.allTools()) tools.hold(share?.state === 'paused');
  }

  tell(event: string, message: string): void {
    this.#subject.tell(event, message);
  }
}
