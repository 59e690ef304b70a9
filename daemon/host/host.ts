// The host: every loaded plugin, and the order in which things start and stop. It decides and records; plugin code
// runs in cells.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { HostError } from '../../protocol/errors.ts';
import type { Clock } from '../time/clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ClusterService } from '../cluster/cluster-service.ts';
import type { Config } from '../config/schema.ts';
import type { Guarding } from '../guardian/link.ts';
import { AfterDeath } from './after-death.ts';
import { AtStart } from './at-start.ts';
import type { LeftOut } from './start-failures.ts';
import { EdgeOnDemand } from '../edge/on-demand.ts';
import { hostRuntimes } from './host-runtimes.ts';
import { type HostCounts, hostCounts } from './host-counts.ts';
import type { HostedDeps } from './hosted-deps.ts';
import { HostedPlugin } from './hosted-plugin.ts';
import { Catalog } from '../plugins/catalog.ts';
import type { Wanted } from '../plugins/remembered-plugins.ts';
import { unusedOverrides } from '../plugins/overrides.ts';
import { measuredUsage } from './plugin-usage.ts';
import { giveToWorker } from './worker-commands.ts';
import type { PluginUsage } from '../../protocol/usage.ts';
import { outputTargets } from './output-targets.ts';
import { PluginReader } from './plugin-reader.ts';
import { type LoadedPlugin, keepingSocket } from '../plugins/plugin.ts';
import type { EmbeddedRuntime } from '../runtimes/embedded/embedded-runtime.ts';
import { Profiles } from '../runtimes/programs/profiles.ts';
import type { Registry } from '../runtimes/registry.ts';
import { publishCounters } from './changed-counters.ts';
import { stopInTime } from './service-stops.ts';
import { WakeTurns } from '../dispatch/wake-turns.ts';
import { requireInstance, requireSamePlacement, startPlaced } from './placed-start.ts';
import { type KeptEvents, type StopOptions, type Stopped, noEvents } from '../services/stop-order.ts';
import type { Service } from '../services/service.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import type { Feed } from '../telemetry/feed.ts';
import { FlightRecorder } from '../telemetry/flight-recorder.ts';
import { ToolCalls } from '../tools/tool-calls.ts';

export interface HostOptions {
  readonly config: Config;
  /** Of the daemon. */
  readonly version: string;
  readonly stateFolder: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly feed: Feed;
  readonly log: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where it listens; left out where nothing does. */
  readonly controlSocket?: string;
  readonly mcp: HostedDeps['mcp'];
  /** Answers undefined where the daemon is no member of a cluster. */
  readonly cluster?: () => Cluster | undefined;
  /** Under a guardian. */
  readonly guarding?: Guarding | undefined;
}

/** The part of the shutdown's time that is kept for the last writes. */
const lastWritesMs = 1000;
const recorderCloseMs = 1000;
/** A start or stop that is done is not held up longer by a store that does not answer. */
const rememberMs = 1000;

export class Host {
  readonly config: Config;
  readonly catalog: Catalog;
  readonly toolCalls = new ToolCalls();
  /** Sources of services. */
  readonly edge: EdgeOnDemand;
  /** What workers can run. */
  readonly profiles: Profiles;
  /** Every runtime, and by it every worker. */
  readonly registry: Registry;
  /** Resolves when the shutdown has stopped the services. */
  readonly stopped: Promise<KeptEvents>;
  #tellStopped: (events: KeptEvents) => void = () => {};
  readonly #embedded: EmbeddedRuntime;
  readonly #options: HostOptions;
  readonly #recorder: FlightRecorder;
  readonly #wakes: WakeTurns;
  readonly #afterDeath: AfterDeath;
  readonly #hosted = new Map<string, HostedPlugin>();
  /** Ids of services in the order of their last start. */
  #startOrder: string[] = [];
  /** Ids of plugins that are being unloaded. */
  readonly #unloading = new Set<string>();
  /** Unloaded, with threads that did not end. */
  #departed: HostedPlugin[] = [];
  /** The last check of a plugin's schemas. */
  readonly #reader: PluginReader;
  readonly #atStart: AtStart;
  /** Where commands of services can be delivered. */
  readonly #targets = outputTargets((id) => this.#staying(id), {
    edge: (command) => this.edge.send(command),
    worker: (input, signal) => giveToWorker(this.registry, input, signal),
  });
  /** Ids of plugins that came after the start. */
  readonly #loadedAtRunTime = new Set<string>();

  constructor(options: HostOptions) {
    this.config = options.config;
    this.#options = options;
    this.#reader = new PluginReader(options.config, options.env);
    this.stopped = new Promise((resolve) => {
      this.#tellStopped = resolve;
    });
    this.#afterDeath = new AfterDeath(options.guarding, options.log);
    this.catalog = new Catalog({ maxPlugins: options.config.limits.plugins });
    this.profiles = new Profiles({
      limits: options.config.limits,
      clock: options.clock,
      version: options.version,
      log: options.log,
      list: () => this.list().filter(({ id }) => !this.#unloading.has(id)),
      get: (id) => this.#staying(id),
    });
    this.#atStart = new AtStart(this, {
      ...options,
      afterDeath: (options.guarding?.deaths.length ?? 0) > 0,
      foundLate: () => void this.#embedded.resume(),
      add: async (folder) => await this.#add(this.#reader.read(folder), { tryImport: false }),
    });
    this.edge = new EdgeOnDemand(options, (id) => this.#hosted.get(id));
    ({ embedded: this.#embedded, registry: this.registry } = hostRuntimes(options, this.profiles, () => this.list()));
    // One processor is the host's own.
    this.#wakes = new WakeTurns(options.clock, Math.max(1, availableParallelism() - 1));
    this.#recorder = new FlightRecorder({
      folder: join(options.stateFolder, 'bundles'),
      limits: options.config.limits,
      clock: options.clock,
      version: options.version,
      onWritten: (plugin, path) =>
        options.log.info({ plugin, path }, 'a service failed: what was known of it is in a bundle'),
      onTrouble: (error) => options.log.warn({ err: error.message }, 'flight-recorder bundles cannot be written'),
    });
  }

  list(): readonly HostedPlugin[] {
    return [...this.#hosted.values()];
  }

  get(id: string): HostedPlugin {
    // The catalog throws for an id it does not know.
    const hosted = this.#hosted.get(this.catalog.get(id).id);
    if (hosted === undefined)
      throw new HostError('plugin_not_found', `The plugin "${id}" is just being loaded or unloaded.`, { plugin: id });
    return hosted;
  }

  #staying(id: string): HostedPlugin {
    if (this.#unloading.has(id))
      throw new HostError('plugin_not_found', `The plugin "${id}" is just being unloaded.`, { plugin: id });
    return this.get(id);
  }

  /**
   * Whoever loads a plugin hears at once of a broken JSON Schema, and of tools or profiles that cannot be imported. One
   * that is remembered is loaded again by the next daemon.
   */
  async load(folder: string, remember: boolean): Promise<HostedPlugin> {
    const hosted = await this.#add(await this.#reader.readChecked(folder), { tryImport: true });
    this.#loadedAtRunTime.add(hosted.id);
    if (remember) hosted.remembered = await this.#atStart.remembered.loaded(hosted.id, hosted.plugin.folder);
    this.#countOnce();
    return hosted;
  }

  /** What the operator has asked of a service, for the next daemon. Waits for the store only for a moment. */
  async wants(id: string, wanted: Wanted): Promise<void> {
    this.#atStart.failures.forget(id);
    const written = this.#atStart.remembered.wants(
      id,
      wanted,
      this.#atStart.startsByItself(this.get(id)) === (wanted === 'running'),
    );
    await Promise.race([written, new Promise<void>((resolve) => this.#options.clock.after(rememberMs, resolve))]);
  }

  /** Plugins that the next daemon does not load: what would be lost with this one. */
  #countOnce(): void {
    this.#afterDeath.countLoaded(
      this.list().filter(({ id, remembered }) => !remembered && this.#loadedAtRunTime.has(id)).length,
    );
  }

  async #add(read: LoadedPlugin, options: { readonly tryImport: boolean }): Promise<HostedPlugin> {
    const plugin = this.#afterDeath.runnable(read);
    this.catalog.add(plugin);
    const hosted = await this.#open(plugin, options.tryImport);
    this.#hosted.set(plugin.id, hosted);
    this.#tell(plugin.notes, { plugin: plugin.id });
    this.#afterDeath.tell(hosted);
    await this.edge.declare(plugin);
    this.#publishChange(plugin.id, 'loaded');
    return hosted;
  }

  async #open(plugin: LoadedPlugin, tryImport: boolean): Promise<HostedPlugin> {
    const { config, stateFolder, store, clock, feed, log, env, controlSocket, mcp, cluster } = this.#options;
    const kept = keepingSocket(plugin, controlSocket);
    let hosted: HostedPlugin | undefined;
    try {
      hosted = await HostedPlugin.open(kept, {
        limits: config.limits,
        bundlePayloads: config.bundles.payloads,
        targets: this.#targets,
        holdsCommands: config.outputs.hold,
        sources: (id) => this.edge.inStatus(id),
        guiltOf: this.#afterDeath.guiltOf,
        stateFolder,
        store,
        clock,
        wakes: this.#wakes,
        feed,
        log,
        env,
        mcp,
        place: (plugin, section) => cluster?.()?.place(plugin, section),
        recorder: this.#recorder,
      });
      if (tryImport) await hosted.tryImport(kept);
      return hosted;
    } catch (thrown) {
      await hosted?.close();
      await cluster?.()?.forget(plugin.id);
      // Its id is free again for another try.
      this.catalog.remove(plugin.id);
      throw thrown;
    }
  }

  /** Loads what lies in the folders, and what an earlier daemon had been told to load. */
  async loadAll(folders: readonly string[]): Promise<void> {
    await this.#atStart.loadAll(folders);
    // A store that cannot be read now is read when it can.
    await this.#embedded.open().catch(() => undefined);
    this.#tell(this.notes());
  }

  readonly #tell = (notes: readonly string[], fields: Readonly<Record<string, unknown>> = {}): void =>
    notes.forEach((note) => this.#options.log.warn(fields, note));

  /** What the configuration says that has no effect, and what was not started. */
  readonly notes = (): string[] => [
    ...unusedOverrides(this.config.plugins.overrides, [...this.#hosted.keys()]),
    ...this.leftOut().map(({ message }) => message),
  ];

  /** Services that were not started with the daemon, because they failed at its last starts. */
  readonly leftOut = (): readonly LeftOut[] => this.#atStart.failures.leftOut;

  /**
   * Returns what became of the events of its service. What is on disk is found again by the next load, unless it is
   * dropped.
   */
  async unload(id: string, discard = false): Promise<KeptEvents> {
    if (!this.catalog.has(id) && this.#atStart.remembered.get(id) !== undefined) return await this.#forget(id);
    const hosted = this.get(id);
    this.#unloading.add(id);
    hosted.service?.retire();
    await this.edge.forget(id);
    await this.#options.cluster?.()?.forget(id);
    const programsEnded = this.profiles.revoke(id, this.config.limits.killMs);
    const events = await this.#stopForGood(hosted, { discard });
    await programsEnded;
    await hosted.closeTools(this.config.limits.killMs);
    // Another caller may have been faster.
    if (this.#hosted.get(id) !== hosted) return events;
    this.#hosted.delete(id);
    if (hosted.leftover > 0) this.#departed.push(hosted);
    this.#startOrder = this.#startOrder.filter((started) => started !== id);
    // Its id stays taken until its files are closed: whoever loads it next reads them.
    await hosted.close();
    hosted.history.forget();
    this.catalog.remove(id);
    this.#unloading.delete(id);
    this.#afterDeath.forget(id);
    await this.#atStart.remembered.forget(id);
    this.#loadedAtRunTime.delete(id);
    this.#countOnce();
    this.#publishChange(id, 'unloaded');
    this.#options.log.info({ plugin: id, ...events }, 'a plugin was unloaded');
    return events;
  }

  /** It is remembered and could not be loaded. */
  async #forget(id: string): Promise<KeptEvents> {
    const folder = this.#atStart.remembered.get(id)?.folder ?? '';
    await this.#atStart.remembered.forget(id);
    this.catalog.forgetInvalid(folder);
    return noEvents;
  }

  /** Reads the plugin again; where that or the new incarnation fails, what runs goes on as it is. */
  async reload(id: string): Promise<{ readonly hosted: HostedPlugin; readonly events: KeptEvents }> {
    const hosted = this.get(id);
    const plugin = await this.#reader.readChecked(hosted.plugin.folder);
    if (plugin.id !== id) {
      throw new HostError(
        'plugin_invalid',
        `The folder now holds the plugin ${plugin.id}; unload ${id} and load that one.`,
        { path: plugin.folder, issues: [{ path: 'id', message: `changed from ${id}` }] },
      );
    }
    // What a reload made now would outlive the plugin.
    this.#staying(id);
    requireSamePlacement(hosted.plugin, plugin);
    const kept = keepingSocket(plugin, this.#options.controlSocket);
    await hosted.tryImport(kept);
    // A start that the supervisor has begun ends by its own deadline; how it ends is of no interest here.
    if (hosted.service?.lifecycle === 'starting') await hosted.service.start().catch(() => undefined);
    const hadFailed = hosted.service?.lifecycle === 'failed';
    const events = await hosted.reload(kept);
    this.catalog.replace(plugin);
    await this.edge.declare(plugin);
    this.#afterDeath.forget(id);
    this.#atStart.failures.forget(id);
    this.#tell(plugin.notes, { plugin: plugin.id });
    this.#publishChange(id, 'reloaded');
    // It ran until it failed, so whoever corrects it wants it to run.
    if (hadFailed && hosted.service !== undefined && plugin.enabled) await this.start(id);
    return { hosted, events };
  }

  /** Of which one instance lives in the cluster; undefined for any other. */
  placed(id: string): ClusterService | undefined {
    return this.#options.cluster?.()?.placed(id);
  }

  async start(id: string): Promise<void> {
    const placed = this.placed(id);
    if (placed === undefined) return await this.startHere(id);
    this.get(id).requireEnabled();
    await startPlaced(placed, this.#options.clock, this.config.limits.clusterMs);
  }

  /** With the daemon: where another member may have it, nobody waits for it. */
  async startAtStart(id: string): Promise<void> {
    const placed = this.placed(id);
    await (placed === undefined ? this.startHere(id) : placed.want());
  }

  /** On this member, whoever may have it. */
  async startHere(id: string): Promise<void> {
    await this.#startable(id).start();
  }

  /** Another member may take a service of the cluster then. */
  async stop(id: string, options: Partial<StopOptions>): Promise<Stopped> {
    const stopped = await this.get(id).requireService().stop(options);
    await this.placed(id)?.standAside();
    return stopped;
  }

  async restart(id: string): Promise<KeptEvents> {
    requireInstance(this.placed(id));
    return this.#startable(id).restart();
  }

  #startable(id: string): Service {
    const hosted = this.get(id);
    const service = hosted.requireService();
    hosted.requireEnabled();
    this.#startOrder = [...this.#startOrder.filter((started) => started !== id), id];
    return service;
  }

  /** Starts every service that is to start with the daemon; workers go on with what waited for them. */
  async autostart(): Promise<void> {
    if (this.#atStart.isRead) void this.#embedded.resume();
    await this.#atStart.autostart();
  }

  /** What one plugin or each of them uses, with the system's figures of their cells taken now. */
  usage(id?: string): PluginUsage[] {
    return (id === undefined ? this.list() : [this.get(id)]).map((hosted) => measuredUsage(hosted));
  }

  counts(): HostCounts {
    return hostCounts({
      hosted: this.list(),
      departed: this.#departed,
      profiles: this.profiles,
      embedded: this.#embedded,
    });
  }

  /** Lines of plugins' logs that a budget or the disk did not let through. */
  get droppedLogLines(): number {
    return this.list().reduce((sum, { log }) => sum + log.counts.droppedLines, 0);
  }

  /** Threads that would keep the process from exiting. */
  leftover(): number {
    this.#departed = this.#departed.filter((hosted) => hosted.leftover > 0);
    return [...this.#hosted.values(), ...this.#departed].reduce(
      (sum, hosted) => sum + hosted.leftover,
      this.profiles.leftover,
    );
  }

  /** Pushes what changed since the last time; costs nothing while nobody listens. */
  publishCounters(last: Map<string, string>): void {
    publishCounters(this.list(), last, this.#options);
  }

  /**
   * Stops the services side by side, because none depends on another, then tools and workers. Ends within the time
   * given.
   */
  async shutdown(withinMs: number): Promise<void> {
    const { killMs, abortGraceMs } = this.config.limits;
    this.edge.drain();
    // No restart, by an operator or by a supervisor, begins from here on.
    for (const { service } of this.#hosted.values()) service?.retire();
    const workersEnded = this.registry.close(killMs);
    // In the reverse order of their start.
    const stopped = stopInTime(
      this.#startOrder.toReversed().flatMap((id) => this.#hosted.get(id) ?? []),
      (hosted, options) => this.#stopForGood(hosted, options),
      { withinMs: withinMs - Math.min(withinMs / 2, abortGraceMs + killMs + lastWritesMs), ...this.#options },
    );
    await stopped.orLate;
    const [events] = await Promise.all([
      stopped.all,
      workersEnded,
      this.profiles.close(killMs),
      ...this.list().map((hosted) => hosted.closeTools(killMs)),
    ]);
    await Promise.all([
      this.#atStart.close(),
      this.#recorder.close(recorderCloseMs),
      ...this.list().map((hosted) => hosted.close()),
    ]);
    this.edge.close();
    this.#options.log.info({ ...events }, 'the services are stopped');
    this.#tellStopped(events);
  }

  /** The service never starts again, so what it would keep in memory for its next start is discarded. */
  async #stopForGood({ id, service }: HostedPlugin, options: Partial<StopOptions>): Promise<KeptEvents> {
    if (service === undefined) return noEvents;
    const { kept, discarded, error } = await service.stopForGood(options);
    // The service has told its journal; the unload or the shutdown goes on.
    if (error !== undefined) this.#options.log.warn({ plugin: id, code: error.code }, 'a service did not stop cleanly');
    return { kept, discarded };
  }

  #publishChange(id: string, change: 'loaded' | 'reloaded' | 'unloaded'): void {
    const { feed, clock, mcp } = this.#options;
    mcp.toolsChanged();
    feed.publish({ topic: 'plugin', at: new Date(clock.wallMs()).toISOString(), plugin: id, data: { change } });
  }
}
