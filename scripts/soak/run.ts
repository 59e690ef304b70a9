// The soak: many services in threads and processes, fed random events of which some end their cells, with an operator
// at work. At the end every event must be accounted for, every order unbroken, and the daemon be as it was.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../protocol/client/client.ts';
import { KitDaemon } from '../../daemon/faults/kit-daemon.ts';
import { until } from '../../daemon/faults/until.ts';
import { type VitalSigns, vitalSignsOf } from '../../daemon/faults/vital-signs.ts';
import { Feeder } from './feeder.ts';
import { Operator, imbalance } from './operator.ts';
import { Random } from './random.ts';
import { OrderRecord } from './record.ts';

export interface SoakOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly services: number;
  readonly events: number;
  /** Told about once in ten seconds. */
  progress(text: string): void;
}

export interface SoakReport {
  readonly seed: number;
  readonly faults: readonly string[];
  readonly events: {
    readonly sent: number;
    readonly enqueued: number;
    readonly handled: number;
    readonly failed: number;
    readonly deadLettered: number;
    readonly discarded: number;
    readonly open: number;
  };
  readonly attempts: {
    readonly timedOut: number;
    readonly crashed: number;
    readonly retried: number;
    readonly restarts: number;
  };
  readonly operatorActs: number;
  readonly before: VitalSigns | null;
  readonly after: VitalSigns | null;
  readonly peakMb: number;
  readonly tookMs: number;
}

const lookMs = 1000;
const tellEvery = 10;
const settleMs = 120_000;
const quietMs = 10_000;
/** V8 lets garbage lie while there is room; with little room, what stays is what is held. */
const heapMb = 128;
/** What allocators may keep of what they were given. */
const rssDriftMb = 128;

const idOf = (at: number): string => `soak.service-${String(at)}`;

const recordOf = (folder: string, at: number): string => join(folder, `record-${String(at)}`);

function writeService(folder: string, at: number): string {
  const target = join(folder, `service-${String(at)}`);
  mkdirSync(target, { recursive: true });
  copyFileSync(join(import.meta.dirname, 'plugin.js'), join(target, 'index.js'));
  writeFileSync(join(target, 'package.json'), '{ "type": "module" }\n');
  const service = {
    ingresses: [{ name: 'soak', kinds: ['event'] }],
    // In memory: what is on disk goes on over an unload, and so do its books. `--kills` is for durable services.
    queue: { capacity: 2000, durability: 'memory' },
    timeouts: { startMs: 20_000, handleMs: 500, stopMs: 20_000 },
    restart: { policy: 'on-failure', intensity: 20, periodMs: 10_000, backoffMs: [5, 100] },
    // What is tried again comes before everything behind it, so that the order can be checked for all events.
    retry: { maxAttempts: 3, backoffMs: [5, 50], order: 'hold' },
  };
  const manifest = {
    schemaVersion: 1,
    id: idOf(at),
    name: `Soak ${String(at)}`,
    version: '1.0.0',
    entry: './index.js',
    isolation: at % 2 === 0 ? 'thread' : 'process',
    limits: { heapMb: 64, rssMb: 256 },
    service,
  };
  writeFileSync(join(target, 'plugin.json'), JSON.stringify(manifest));
  return target;
}

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const overrides = (folder: string): Record<string, unknown> =>
    Object.fromEntries(
      Array.from({ length: options.services }, (_, at) => [idOf(at), { config: { record: recordOf(folder, at) } }]),
    );
  const daemon = await KitDaemon.start({
    nodeFlags: [`--max-old-space-size=${String(heapMb)}`],
    config: (folder) => ({ plugins: { autostart: false, overrides: overrides(folder) } }),
  });
  try {
    return await new Soak(options, daemon, await daemon.connect(600_000)).run();
  } finally {
    await daemon.stop();
  }
}

class Soak {
  readonly #options: SoakOptions;
  readonly #daemon: KitDaemon;
  readonly #client: Client;
  readonly #faults = new Set<string>();
  readonly #records = new Map<string, OrderRecord>();
  #feeders: readonly Feeder[] = [];

  constructor(options: SoakOptions, daemon: KitDaemon, client: Client) {
    this.#options = options;
    this.#daemon = daemon;
    this.#client = client;
  }

  async run(): Promise<SoakReport> {
    const { seed, services, events, minutes } = this.#options;
    const beganMs = performance.now();
    const random = new Random(seed);
    // Once for nothing: what a daemon makes at first use is not to look like something left behind.
    await this.#load();
    await this.#unload();
    const operator = new Operator(await this.#daemon.connect(), random.fork(), this.#daemon.pid, (plugin) =>
      join(this.#daemon.folder, plugin.replace('soak.', '')),
    );
    // Its connection is there once it has been answered.
    await operator.look(false);
    const before = vitalSignsOf(this.#daemon.pid) ?? null;
    await this.#load();
    this.#feeders = Array.from(
      { length: services },
      (_, at) =>
        new Feeder(this.#client, random.fork(), {
          plugin: idOf(at),
          events: Math.ceil(events / services),
          durationMs: minutes * 60_000,
        }),
    );
    await this.#feed(operator);
    const report = await this.#account(operator);
    for (const record of this.#records.values()) await record.close();
    await this.#unload();
    const after = await this.#backTo(before);
    return {
      seed,
      faults: [...this.#faults],
      ...report,
      operatorActs: operator.acts,
      before,
      after,
      peakMb: Math.round(this.#daemon.peakMb),
      tookMs: Math.round(performance.now() - beganMs),
    };
  }

  async #load(): Promise<void> {
    for (let at = 0; at < this.#options.services; at += 1) {
      await this.#client.call('plugin.load', { path: writeService(this.#daemon.folder, at) });
      await this.#client.call('service.start', { plugin: idOf(at) });
      if (!this.#records.has(idOf(at))) this.#records.set(idOf(at), new OrderRecord(recordOf(this.#daemon.folder, at)));
    }
  }

  async #unload(): Promise<void> {
    for (let at = 0; at < this.#options.services; at += 1)
      await this.#client.call('plugin.unload', { plugin: idOf(at) });
  }

  async #feed(operator: Operator): Promise<void> {
    let feeding = true;
    const fed = Promise.all(this.#feeders.map((feeder) => feeder.run())).finally(() => {
      feeding = false;
    });
    for (let looks = 1; feeding && this.#faults.size === 0; looks += 1) {
      await Promise.race([sleep(lookMs), fed]);
      await operator.look(feeding);
      await this.#readRecords();
      if (operator.fault !== undefined) this.#faults.add(operator.fault);
      if (looks % tellEvery === 0) this.#tell();
    }
    // A breach ends the run: what comes after it proves nothing.
    if (this.#faults.size === 0) await fed;
    else void fed.catch(() => undefined);
  }

  #tell(): void {
    const sent = this.#feeders.reduce((total, feeder) => total + feeder.sent, 0);
    const signs = vitalSignsOf(this.#daemon.pid);
    const memory =
      signs === undefined
        ? ''
        : `, ${String(signs.threads)} threads, ${String(signs.processes)} processes, ${String(Math.round(signs.rssMb))} MB`;
    this.#options.progress(`${String(sent)} events sent${memory}`);
  }

  async #readRecords(): Promise<void> {
    for (const [plugin, record] of this.#records) {
      await record.readOn();
      if (record.fault !== undefined) this.#faults.add(`${plugin}: ${record.fault}`);
    }
    for (const { plugin, fault } of this.#feeders) {
      if (fault !== undefined) this.#faults.add(`${plugin}: ${fault}`);
    }
  }

  /** When everything has come to its end, what was sent is held against the books and against what was begun. */
  async #account(operator: Operator): Promise<Pick<SoakReport, 'events' | 'attempts'>> {
    const settled = await until(
      async () => {
        const services = await operator.look(false);
        return (
          services.length === this.#options.services &&
          services.every(
            ({ queue, inFlight, lifecycle }) => queue.depth === 0 && inFlight === null && lifecycle === 'running',
          )
        );
      },
      settleMs,
      100,
    );
    if (!settled) this.#faults.add('the services did not come to rest');
    await this.#readRecords();
    const services = await operator.look(false);
    for (const status of services) {
      const feeder = this.#feeders.find(({ plugin }) => plugin === status.pluginId);
      const record = this.#records.get(status.pluginId);
      if (feeder === undefined || record === undefined) continue;
      const { enqueued, discarded } = operator.booksOf(status);
      const wrong = imbalance(status);
      if (wrong !== undefined) this.#faults.add(wrong);
      if (enqueued < feeder.accepted || enqueued > feeder.sent)
        this.#faults.add(
          `${status.pluginId}: ${String(enqueued)} events are in its books; ${String(feeder.accepted)} were accepted of ${String(feeder.sent)}`,
        );
      const missing = record.missing(feeder.sent);
      const refused = feeder.sent - enqueued;
      // A stop, or a service that is given up, leaves at most two events that were begun and are discarded all the
      // same: the one at hand, and one that was to come again.
      const cutOff = refused + discarded - missing;
      if (cutOff < 0 || cutOff > 2 * operator.stopsOf(status.pluginId))
        this.#faults.add(
          `${status.pluginId}: ${String(missing)} events were never begun; ${String(refused)} were refused and ${String(discarded)} discarded`,
        );
    }
    const sum = (of: (status: (typeof services)[number]) => number): number =>
      services.reduce((total, status) => total + of(status), 0);
    const books = (count: keyof ReturnType<Operator['booksOf']>): number =>
      sum((status) => operator.booksOf(status)[count]);
    return {
      events: {
        sent: this.#feeders.reduce((total, { sent }) => total + sent, 0),
        enqueued: books('enqueued'),
        handled: books('handled'),
        failed: books('failed'),
        deadLettered: books('deadLettered'),
        discarded: books('discarded'),
        open: sum(({ queue, inFlight }) => queue.depth + (inFlight === null ? 0 : 1)),
      },
      attempts: {
        timedOut: sum(({ counters }) => counters.timedOut),
        crashed: sum(({ counters }) => counters.crashed),
        retried: sum(({ counters }) => counters.retried),
        restarts: sum(({ counters }) => counters.restarts),
      },
    };
  }

  async #backTo(before: VitalSigns | null): Promise<VitalSigns | null> {
    let after: VitalSigns | undefined;
    const back = await until(
      () => {
        after = vitalSignsOf(this.#daemon.pid);
        return before === null || after === undefined || isBack(after, before);
      },
      quietMs,
      100,
    );
    if (!back)
      this.#faults.add(`the daemon is not as it was: before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`);
    if (this.#daemon.living().length > 0)
      this.#faults.add(`${String(this.#daemon.living().length)} processes are left`);
    return after ?? null;
  }
}

const isBack = (after: VitalSigns, before: VitalSigns): boolean =>
  after.threads <= before.threads &&
  after.descriptors <= before.descriptors &&
  after.processes <= before.processes &&
  after.rssMb <= before.rssMb + rssDriftMb;
