// A service whose thread ended in a way that no thread can hold may come back as a process cell, where its manifest
// asks for that. The step is taken once and lasts until the daemon ends or another plan comes.
import type { ServicePlan } from './service-plan.ts';

/** Ends after which a thread is the wrong place: the reasons of a cell's end, and the one of a cell that does not. */
const beyondThreads: ReadonlySet<string> = new Set(['unkillable', 'out_of_memory', 'heap_limit']);

export class Escalation {
  #asked: ServicePlan | undefined;

  /** True when this end makes the service's next cell a process. */
  consider(plan: ServicePlan, reason: string): boolean {
    const { isolation, limits } = plan.plugin.manifest;
    if (limits.escalate !== 'process' || isolation === 'process' || this.#asked === plan || !beyondThreads.has(reason))
      return false;
    this.#asked = plan;
    return true;
  }

  /** The plan as it is to be carried out. */
  of(plan: ServicePlan): ServicePlan {
    if (this.#asked !== plan) return plan;
    return { ...plan, plugin: { ...plan.plugin, manifest: { ...plan.plugin.manifest, isolation: 'process' } } };
  }
}
