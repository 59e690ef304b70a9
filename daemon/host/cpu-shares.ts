// Holds plugins to their share of the processor (`limits.cpuShare`): what has used more gets a lower priority, and a
// service is then paused between events, and its tools between calls, until its share has caught up. Plugins without a
// share cost nothing here.
import type { CpuShare } from '../../protocol/status.ts';
import { type BudgetState, CpuBudget } from '../isolates/cpu-budget.ts';
import type { Clock, Timer } from '../time/clock.ts';

const lookMs = 250;

/** A loaded plugin, seen from here. */
export interface SharingPlugin {
  readonly id: string;
  /** Undefined: it may use what it gets. */
  readonly cpuShare: number | undefined;
  /** By all its cells since it was loaded, taken now. */
  usedMs(): number;
  /** Gives the cells it has now a lower priority, for good. */
  lower(): void;
  /** What is shown of it; a service and tools are paused while it says so. */
  held(share: CpuShare | null): void;
  tell(event: string, message: string): void;
}

interface Held {
  readonly plugin: SharingPlugin;
  readonly budget: CpuBudget;
}

export class CpuShares {
  readonly #clock: Clock;
  readonly #list: () => readonly SharingPlugin[];
  readonly #held = new Map<string, Held>();
  #timer: Timer | undefined;

  constructor(clock: Clock, list: () => readonly SharingPlugin[]) {
    this.#clock = clock;
    this.#list = list;
    this.#lookLater();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #lookLater(): void {
    this.#timer = this.#clock.after(lookMs, () => {
      this.#look();
      this.#lookLater();
    });
  }

  #look(): void {
    const there = new Set<string>();
    for (const plugin of this.#list()) {
      there.add(plugin.id);
      this.#lookAt(plugin);
    }
    for (const id of this.#held.keys()) if (!there.has(id)) this.#held.delete(id);
  }

  #lookAt(plugin: SharingPlugin): void {
    const { id, cpuShare } = plugin;
    const known = this.#held.get(id);
    if (cpuShare === undefined) {
      if (known === undefined) return;
      this.#held.delete(id);
      plugin.held(null);
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    if (known?.plugin !== plugin || known.budget.share !== cpuShare) {
      const budget = new CpuBudget(cpuShare, nowMs, plugin.usedMs());
      this.#held.set(id, { plugin, budget });
      plugin.held(budget.view());
      return;
    }
    const { budget } = known;
    const before = budget.state;
    const state = budget.look(nowMs, plugin.usedMs());
    // Cells that have come since are lowered too.
    if (state !== 'within') plugin.lower();
    if (state !== before) tellChange(plugin, budget, before, state);
    plugin.held(budget.view());
  }
}

const percent = (share: number): string => `${String(Number((share * 100).toFixed(share < 0.1 ? 1 : 0)))} %`;

/** Going on after a pause is not told: a busy plugin pauses every few seconds, and its figures tell for how long. */
function tellChange(plugin: SharingPlugin, { share }: CpuBudget, before: BudgetState, state: BudgetState): void {
  const allowed = `limits.cpuShare allows ${percent(share)} of one processor`;
  if (before === 'within')
    plugin.tell(
      'cpu_lowered',
      `The plugin has used more of the processor than its share: ${allowed}. Its cells have a lower priority from here on.`,
    );
  else if (state === 'paused')
    plugin.tell(
      'cpu_paused',
      `A lower priority did not bring the plugin down to its share: ${allowed}. Its service is paused between events, and calls of its tools wait, until the share has caught up; its events stay queued.`,
    );
  else if (state === 'within')
    plugin.tell('cpu_within', `The plugin is within its share of the processor again: ${allowed}.`);
}
