// The operator of the soak: looks at every service once a second, holds its books to the event, and now and then
// restarts, reloads, stops (also at once) or unloads one, kills the process of one, or starts one that was given up.
import { type Client, HostError } from '../../protocol/client/client.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import { descendantsOf } from '../../daemon/faults/vital-signs.ts';
import type { Random } from './random.ts';

type Status = OperationResult<'service.status'>;

type Counters = Pick<Status['counters'], 'enqueued' | 'handled' | 'failed' | 'deadLettered' | 'discarded'>;

const actOneIn = 30;
const acts = ['restart', 'restart', 'reload', 'reload', 'stop', 'stop', 'unload', 'kill', 'kill'] as const;
const noCounters: Counters = { enqueued: 0, handled: 0, failed: 0, deadLettered: 0, discarded: 0 };

export class Operator {
  readonly #client: Client;
  readonly #random: Random;
  readonly #daemonPid: number;
  readonly #folderOf: (plugin: string) => string;
  readonly #busy = new Set<string>();
  readonly #stops = new Map<string, number>();
  /** What the books of a service held when its plugin was unloaded. */
  readonly #closed = new Map<string, Counters>();
  #acts = 0;
  #fault: string | undefined;

  constructor(client: Client, random: Random, daemonPid: number, folderOf: (plugin: string) => string) {
    this.#client = client;
    this.#random = random;
    this.#daemonPid = daemonPid;
    this.#folderOf = folderOf;
  }

  /** What it did to services beside looking at them. */
  get acts(): number {
    return this.#acts;
  }

  /** How often a service was stopped, or given up, whatever came after. */
  stopsOf(plugin: string): number {
    return this.#stops.get(plugin) ?? 0;
  }

  /** The books of all lives of a service. */
  booksOf({ pluginId, counters }: Status): Counters {
    return added(this.#closed.get(pluginId) ?? noCounters, counters);
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
      const givenUp = lifecycle === 'failed' && restart?.pending !== true;
      if (givenUp) this.#countStop(pluginId);
      if (givenUp || lifecycle === 'stopped' || lifecycle === 'ready')
        this.#do(pluginId, () => this.#client.call('service.start', { plugin: pluginId }));
      else if (act && this.#random.oneIn(actOneIn)) this.#act(status);
    }
    return services;
  }

  #act({ pluginId: plugin, cell }: Status): void {
    const act = this.#random.pick(acts);
    if (act !== 'kill') this.#countStop(plugin);
    switch (act) {
      case 'restart':
        return this.#do(plugin, () => this.#client.call('service.restart', { plugin }));
      case 'reload':
        return this.#do(plugin, () => this.#client.call('plugin.reload', { plugin }));
      case 'stop':
        return this.#do(plugin, () => this.#stop(plugin));
      case 'unload':
        return this.#do(plugin, () => this.#loadAnew(plugin));
      case 'kill':
        return this.#kill(cell?.pid);
    }
  }

  #countStop(plugin: string): void {
    this.#stops.set(plugin, this.stopsOf(plugin) + 1);
  }

  /** What the answer says was kept must be there. */
  async #stop(plugin: string): Promise<Status> {
    const answer = await this.#client.call('service.stop', {
      plugin,
      now: this.#random.oneIn(2),
      discard: this.#random.oneIn(4),
    });
    if (answer.lifecycle !== 'stopped' || answer.kept !== answer.queue.depth) {
      this.#fault ??= `${plugin} was stopped: it is ${answer.lifecycle}, ${String(answer.kept)} events were kept, and ${String(answer.queue.depth)} are queued`;
    }
    return answer;
  }

  /** Its books end with the unload, which must say what it dropped. */
  async #loadAnew(plugin: string): Promise<void> {
    const stopped = await this.#stop(plugin);
    const { discarded } = await this.#client.call('plugin.unload', { plugin });
    if (discarded !== stopped.queue.depth)
      this.#fault ??= `${plugin} was unloaded with ${String(stopped.queue.depth)} events queued, and said that it discarded ${String(discarded)}`;
    this.#closed.set(plugin, added(this.booksOf(stopped), { ...noCounters, discarded }));
    await this.#client.call('plugin.load', { path: this.#folderOf(plugin) });
    await this.#client.call('service.start', { plugin });
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
        if (!(thrown instanceof HostError) || thrown.code === 'internal' || thrown.code === 'connection_closed')
          this.#fault ??= words;
      })
      .finally(() => this.#busy.delete(plugin));
  }
}

function added(one: Counters, other: Counters): Counters {
  return {
    enqueued: one.enqueued + other.enqueued,
    handled: one.handled + other.handled,
    failed: one.failed + other.failed,
    deadLettered: one.deadLettered + other.deadLettered,
    discarded: one.discarded + other.discarded,
  };
}

/** The conservation equation, to the event. */
export function imbalance({ pluginId, counters, queue, inFlight }: Status): string | undefined {
  const { enqueued, handled, failed, deadLettered, discarded } = counters;
  const open = queue.depth + (inFlight === null ? 0 : 1);
  if (enqueued === handled + failed + deadLettered + discarded + open) return undefined;
  return `${pluginId}: ${String(enqueued)} enqueued, but ${String(handled)} handled, ${String(failed)} failed, ${String(deadLettered)} dead letters, ${String(discarded)} discarded and ${String(open)} open`;
}
