// What the page remembers of each plugin between two looks: rates, and the last minutes for its charts.
const samples = 120;

const parts = (usage) => [usage.service, usage.tools, usage.workers].filter((part) => part !== null);

export const memoryOf = (usage) =>
  parts(usage).reduce((sum, { heapUsedMb, offHeapMb, rssMb }) => sum + Math.max(heapUsedMb + offHeapMb, rssMb), 0);

export class History {
  #last;
  #byPlugin = new Map();

  /** Takes a look at all plugins and answers their rows, with rates since the look before. */
  take(look) {
    const seconds = this.#last === undefined ? 0 : (Date.parse(look.at) - Date.parse(this.#last.at)) / 1000;
    const before = new Map((this.#last?.plugins ?? []).map((usage) => [usage.plugin, usage]));
    this.#last = look;
    const per = (now, old) => (old === undefined || seconds <= 0 || now < old ? 0 : (now - old) / seconds);
    const rows = look.plugins.map((usage) => {
      const old = before.get(usage.plugin);
      const row = {
        ...usage,
        cpuPercent: per(usage.cpuSeconds, old?.cpuSeconds) * 100,
        memoryMb: memoryOf(usage),
        eventsPerSecond: per(usage.service?.settled ?? 0, old?.service?.settled),
      };
      if (seconds > 0) this.#keep(row, Date.parse(look.at) / 1000);
      return row;
    });
    const there = new Set(rows.map(({ plugin }) => plugin));
    for (const plugin of this.#byPlugin.keys()) if (!there.has(plugin)) this.#byPlugin.delete(plugin);
    return rows;
  }

  of(plugin) {
    return this.#byPlugin.get(plugin) ?? { times: [], cpu: [], memory: [], queue: [], events: [] };
  }

  #keep({ plugin, cpuPercent, memoryMb, eventsPerSecond, service }, second) {
    const kept = this.of(plugin);
    const add = (list, value) => [...list, value].slice(-samples);
    this.#byPlugin.set(plugin, {
      times: add(kept.times, second),
      cpu: add(kept.cpu, cpuPercent),
      memory: add(kept.memory, memoryMb),
      queue: add(kept.queue, service?.queue.depth ?? 0),
      events: add(kept.events, eventsPerSecond),
    });
  }
}
