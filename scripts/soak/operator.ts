// The operator of the soak: looks at every service once a second, holds its books to the event, and now and then
// restarts, reloads or stops one, kills the process of one, or starts one that was given up.
import { type Client, HostError } from '../../protocol/client/client.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import { descendantsOf } from '../../daemon/faults/vital-signs.ts';
import type { Random } from './random.ts';

type Status = OperationResult<'service.status'>;

const actOneIn = 30;
const acts = ['restart', 'reload', 'stop', 'kill'] as const;

export class Operator {
  readonly #client: Client;
  readonly #random: Random;
  readonly #daemonPid: number;
  readonly #busy = new Set<string>();
  readonly #stops = new Map<string, number>();
  #acts = 0;
  #fault: string | undefined;

  constructor(client: Client, random: Random, daemonPid: number) {
    this.#client = client;
    this.#random = random;
    this.#daemonPid = daemonPid;
  }

  /** What it did to services beside looking at them. */
  get acts(): number {
    return this.#acts;
  }

  /** How often it had a service stopped, whatever came after. */
  stopsOf(plugin: string): number {
    return this.#stops.get(plugin) ?? 0;
  }

  get fault(): string | undefined {
    return this.#fault;
  }

  async look(act: boolean): Promise<readonly Status[]> {
    const { services } = await this.#client.call('service.list', {});
    for (const status of services) {
      this.#fault ??= imbalance(status);
      const { pluginId, lifecycle, restart } = status;
      if (this.#busy.has(pluginId)) continue;
      const givenUp = (lifecycle === 'failed' && restart?.pending !== true) || lifecycle === 'stopped';
      if (givenUp) this.#do(pluginId, () => this.#client.call('service.start', { plugin: pluginId }));
      else if (act && this.#random.oneIn(actOneIn)) this.#act(status);
    }
    return services;
  }

  #act({ pluginId: plugin, cell }: Status): void {
    const act = this.#random.pick(acts);
    if (act !== 'kill') this.#stops.set(plugin, this.stopsOf(plugin) + 1);
    switch (act) {
      case 'restart':
        return this.#do(plugin, () => this.#client.call('service.restart', { plugin }));
      case 'reload':
        return this.#do(plugin, () => this.#client.call('plugin.reload', { plugin }));
      case 'stop':
        return this.#do(plugin, () => this.#client.call('service.stop', { plugin }));
      case 'kill':
        return this.#kill(cell?.pid);
    }
  }

  #kill(pid: number | undefined): void {
    // Only what this daemon has started.
    if (pid === undefined || !descendantsOf(this.#daemonPid).includes(pid)) return;
    this.#acts += 1;
    process.kill(pid, 'SIGKILL');
  }

  /** One act a service at a time; that it is refused in the midst of everything else is no fault. */
  #do(plugin: string, act: () => Promise<unknown>): void {
    this.#acts += 1;
    this.#busy.add(plugin);
    void act()
      .catch((thrown: unknown) => {
        const words = thrown instanceof HostError ? `${thrown.code}: ${thrown.message}` : String(thrown);
        if (!(thrown instanceof HostError) || thrown.code === 'internal' || thrown.code === 'connection_closed') this.#fault ??= words;
      })
      .finally(() => this.#busy.delete(plugin));
  }
}

/** The conservation equation, to the event. */
export function imbalance({ pluginId, counters, queue, inFlight }: Status): string | undefined {
  const { enqueued, handled, failed, deadLettered, discarded } = counters;
  const open = queue.depth + (inFlight === null ? 0 : 1);
  if (enqueued === handled + failed + deadLettered + discarded + open) return undefined;
  return `${pluginId}: ${String(enqueued)} enqueued, but ${String(handled)} handled, ${String(failed)} failed, ${String(deadLettered)} dead letters, ${String(discarded)} discarded and ${String(open)} open`;
}
