// One loaded plugin with everything the host keeps for it: its service, its tools, its log and its timeline.
import { join } from 'node:path';
import { HostError } from '../../protocol/errors.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import type { PluginSummary } from '../../protocol/operations/plugin.ts';
import { cellMeters } from '../isolates/cell-meters.ts';
import { cellEnvironment } from '../cells/environment.ts';
import { CellRecords } from '../cells/process/cell-records.ts';
import { spawnCellFor } from '../cells/spawn.ts';
import { KeptCode } from '../plugins/kept-code.ts';
import { tryImport } from './import-trial.ts';
import type { PluginOutputs } from '../outputs/plugin-outputs.ts';
import { type Story, explained } from './explained.ts';
import { explanation } from './explanation.ts';
import type { SourceStatus } from '../../protocol/operations/source.ts';
import type { Explanation } from '../../protocol/operations/telemetry.ts';
import { type KeptThings, openKept, openQueue } from './kept-things.ts';
import type { HistorySource, PluginHistory } from './plugin-history.ts';
import type { HostedDeps } from './hosted-deps.ts';
import { noService, takesNoEvents } from './no-service.ts';
import { pluginSummary, recordFlight } from './plugin-reports.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import type { ProgramEnd } from '../runtimes/programs/program.ts';
import type { ProgramHome } from '../runtimes/programs/program-offer.ts';
import { PluginProfiles } from '../runtimes/programs/plugin-profiles.ts';
import type { KeptState } from '../dispatch/kept-state.ts';
import type { DeadLetters } from '../services/dead-letters.ts';
import type { KeptQueue } from '../services/durable/kept-queue.ts';
import { type PlacedQueue, placedLimits, writeWherePlaced } from '../services/placed.ts';
import { replayLetters } from '../services/replay.ts';
import type { JournalOutlets } from '../services/journal.ts';
import { Service } from '../services/service.ts';
import type { EventIds } from '../dispatch/queued-event.ts';
import { type KeptEvents, noEvents } from '../services/stop-order.ts';
import { type ServicePlan, planOf } from '../dispatch/service-plan.ts';
import { PluginLog } from '../telemetry/plugin-log.ts';
import { Redactor } from '../telemetry/redactor.ts';
import { tellFailure } from '../services/tell-failure.ts';
import type { Timeline } from '../telemetry/timeline.ts';
import { ToolBooks } from '../tools/tool-books.ts';
import { type ListedTool, PluginServer } from './plugin-server.ts';
import { PluginTools, type ToolRequest } from '../tools/plugin-tools.ts';
import type { RunningTools } from '../tools/running-tools.ts';
import type { McpSection } from '../../protocol/manifest.ts';
import { passOnPlaced, redactedError, redactedProgress } from './told-error.ts';
import type { CallWaiter } from '../tools/pending-call.ts';
import { Sharing } from './sharing-plugin.ts';
import { RetiringTools } from '../tools/retiring-tools.ts';

export class HostedPlugin {
  readonly id: string;
  readonly log: PluginLog;
  readonly timeline: Timeline;
  readonly history: PluginHistory;
  /** It was loaded at run time, and the next daemon loads it too. */
  remembered = false;
  /** What workers can run of it. */
  readonly profiles: PluginProfiles;
  readonly #deps: HostedDeps;
  readonly #deadLetters: DeadLetters;
  readonly #state: KeptState;
  readonly outputs: PluginOutputs;
  /** The queue of its service on disk. */
  #queue: KeptQueue | undefined;
  /** Values that were in the environment of any of its cells: a reload must not uncover an old one. */
  readonly #secrets = new Set<string>();
  readonly toolBooks = new ToolBooks();
  /** Its share of the processor. */
  readonly sharing = new Sharing(this);
  /** Inputs of workers that run its profiles, by what they ended in. */
  readonly inputs: Record<ProgramEnd['kind'], number> = { done: 0, failed: 0, cancelled: 0 };
  readonly #records: CellRecords;
  readonly #keptCode: KeptCode;
  readonly #outlets: JournalOutlets = {
    timeline: (entry) => void this.timeline.record(entry),
    feed: (event) => {
      this.#deps.feed.publish(event);
      this.#server?.lifecycleChanged();
    },
    failed: () => recordFlight(this, this.#deps, (json) => this.#redactor.json(json)),
    log: (level, message, fields) => {
      this.log.host(level, message, fields);
      const { stack: _stack, ...plain } = fields;
      this.#deps.log[level]({ plugin: this.id, ...plain }, message);
    },
  };
  /** What its history is written from. */
  readonly historySource = (): HistorySource => ({
    service: this.#service,
    redact: (json) => this.#redactor.json(json),
  });
  readonly #home: ProgramHome;
  #redactor = new Redactor([]);
  #plugin: LoadedPlugin;
  #tools: RunningTools;
  /** The MCP server that it is, or was before a reload. */
  #server: PluginServer | undefined;
  /** Tools of before a reload that still have calls or cells. */
  readonly #retiring: RetiringTools;
  #service: Service | undefined;
  /** Of a service of which one instance lives in a cluster. */
  readonly #placed: PlacedQueue | undefined;
  /** Services that a reload has taken away while cells of theirs could not be ended. */
  #formerServices: Service[] = [];
  #trialsLeftBehind = 0;

  /** With what an earlier daemon kept of it. */
  static async open(plugin: LoadedPlugin, deps: HostedDeps): Promise<HostedPlugin> {
    const placed = placeOf(plugin, deps);
    const [kept, tellTo] = await openKept(plugin, deps, placed);
    const hosted = new HostedPlugin(plugin, deps, kept, placed);
    tellTo((...told) => hosted.tell(...told));
    return hosted;
  }

  private constructor(plugin: LoadedPlugin, deps: HostedDeps, kept: KeptThings, placed: PlacedQueue | undefined) {
    const { limits, clock, feed, log } = deps;
    const { id } = plugin;
    this.id = id;
    this.#deps = deps;
    this.#plugin = plugin;
    this.#placed = placed;
    this.#deadLetters = kept.deadLetters;
    this.#state = kept.state;
    this.outputs = kept.outputs;
    this.#queue = kept.queue;
    this.#records = new CellRecords(deps.stateFolder, (error) =>
      log.warn({ plugin: id, err: error.message }, 'the record of a process cell cannot be kept'),
    );
    this.#keptCode = new KeptCode(join(deps.stateFolder, 'kept-code', id), (message) =>
      this.tell('code_not_kept', message),
    );
    this.history = kept.history;
    this.timeline = kept.history.timeline;
    this.log = new PluginLog({
      pluginId: id,
      folder: join(deps.stateFolder, 'logs'),
      limits,
      redactor: { text: (value, cut) => this.#redactor.text(value, cut), json: (value) => this.#redactor.json(value) },
      onLine: (line) => {
        if (feed.wants('log')) feed.publish({ topic: 'log', at: line.time, plugin: id, data: line });
      },
      onTrouble: (error) => log.warn({ plugin: id, err: error.message }, "the plugin's log cannot be written"),
    });
    const env = this.#environment(plugin);
    this.#retiring = new RetiringTools(clock, limits.killMs);
    this.#tools = this.#makeTools(plugin, env);
    this.#service = this.#makeService(plugin, env);
    this.#home = {
      spawnCell: spawnCellFor(limits, this.#records),
      redact: (text) => this.#redactor.text(text),
      log: (message, incarnation) => this.log.fromCell(message, incarnation),
      logDropped: (message, incarnation) => this.log.droppedByCell(message, incarnation),
      failed: (error, incarnation, eventId) => this.#callFailed(error, eventId, incarnation),
      inputEnded: (kind) => (this.inputs[kind] += 1),
      note: (event, message, incarnation) => void this.timeline.record({ level: 'info', event, message, incarnation }),
    };
    this.profiles = new PluginProfiles(this.#home);
    this.profiles.replan(plugin, env);
  }

  get plugin(): LoadedPlugin {
    return this.#plugin;
  }

  get tools(): RunningTools {
    return this.#tools;
  }

  get service(): Service | undefined {
    return this.#service;
  }

  /** Rejects if the plugin has tools or profiles that cannot be imported. A service is imported by its own start. */
  async tryImport(plugin: LoadedPlugin): Promise<void> {
    const slow = ({ message }: HostError): void => this.log.host('warn', message);
    await tryImport(plugin, this.#environment(plugin), {
      home: this.#home,
      clock: this.#deps.clock,
      leftBehind: (change) => (this.#trialsLeftBehind += change),
      slow,
    });
  }

  /** Takes what was read again; where the new incarnation does not start, everything stays as it is. */
  async reload(plugin: LoadedPlugin): Promise<KeptEvents> {
    const env = this.#environment(plugin);
    const plan = planOf(plugin, env);
    const events = await this.#reloadService(plugin, env, plan);
    if (plan === undefined) {
      this.#formerServices = [...this.#formerServices, ...(this.#service === undefined ? [] : [this.#service])].filter(
        ({ unkillable }) => unkillable > 0,
      );
      this.#service = undefined;
    }
    const old = this.#tools;
    this.#tools = this.#makeTools(plugin, env);
    this.profiles.replan(plugin, env);
    this.outputs.declare(plugin.manifest.service?.outputs ?? []);
    this.#plugin = plugin;
    if (old !== this.#tools) this.#retiring.add(old);
    return events;
  }

  async #reloadService(
    plugin: LoadedPlugin,
    env: Readonly<Record<string, string>>,
    plan: ServicePlan | undefined,
  ): Promise<KeptEvents> {
    const service = this.#service;
    if (service !== undefined && plan !== undefined) return service.reload(plan);
    // The plugin has no service any more.
    if (service !== undefined) return await service.stopForGood().finally(() => this.#queue?.close());
    this.#queue = await openQueue(plugin, this.#deps, (message) => this.tell('queue_unsafe', message, 'error'));
    this.#service = this.#makeService(plugin, env);
    return noEvents;
  }

  /** What it offers to be called, by the manifest or by the MCP server that it is. */
  get toolList(): readonly ListedTool[] {
    return this.#server === undefined ? this.#plugin.manifest.tools : this.#server.sections;
  }

  /** For operations that mean a service. */
  requireService(): Service {
    if (this.#service === undefined) throw noService(this.plugin);
    return this.#service;
  }

  /** For operations on events: none ever comes to a hosted MCP server. */
  requireIngresses(): Service {
    const service = this.requireService();
    if (this.#server !== undefined) throw takesNoEvents(this.id);
    return service;
  }

  requireDeadLetters(): DeadLetters {
    this.requireService();
    return this.#deadLetters;
  }

  /** Publishes dead letters again; one that is handled is a dead letter no more. */
  replay(
    ids: readonly string[] = this.#deadLetters.ids(),
    edited?: { readonly payload: unknown },
  ): Promise<OperationResult<'deadLetter.replay'>['results']> {
    return replayLetters(
      { service: this.requireService(), deadLetters: this.#deadLetters, timeline: this.timeline },
      ids,
      edited,
    );
  }

  /** A tool's own words may hold what its environment told it in confidence. */
  callTool(request: ToolRequest, waiter: CallWaiter): void {
    try {
      this.#tools.call(request, {
        succeeded: (result) => waiter.succeeded(result),
        progressed:
          waiter.progressed === undefined
            ? undefined
            : (progress) => waiter.progressed?.(redactedProgress(progress, this.#redactor)),
        failed: (error) =>
          passOnPlaced(error, this.#plugin, (told) => waiter.failed(redactedError(told, this.#redactor))),
      });
    } catch (thrown) {
      throw thrown instanceof HostError ? redactedError(thrown, this.#redactor) : thrown;
    }
  }

  /** The story of one event, of those that share a correlation id, or of the newest. */
  explain(event: string | undefined, limit: number): Promise<Story> {
    const { history, outputs } = this;
    return explained({ service: this.#service, deadLetters: this.#deadLetters, history, outputs }, event, limit);
  }

  /** How it is, what went wrong, why, and what to do about it. */
  readonly explanation = (sources: readonly SourceStatus[]): Explanation[] => explanation({ hosted: this, sources });

  /** Something that happened to it beside its service. */
  tell(event: string, message: string, level: 'warn' | 'error' = 'warn', ids: Partial<EventIds> = {}): void {
    this.timeline.record({ level, event, message, incarnation: this.#service?.incarnation ?? 0, ...ids });
    this.log.host(level, message);
  }

  /** Something that happened to its sources. */
  note(event: string, message: string, data: Readonly<Record<string, unknown>>): void {
    this.timeline.record({ level: 'warn', event, message, incarnation: this.#service?.incarnation ?? 0, data });
  }

  requireEnabled(): void {
    if (!this.plugin.enabled)
      throw new HostError('plugin_disabled', `The configuration disables the plugin ${this.id}.`, { plugin: this.id });
  }

  readonly summary = (): PluginSummary => pluginSummary(this);

  /** Nothing of it runs any more: what is still to be written gets a moment. */
  async close(): Promise<void> {
    // The last outcomes may be dead letters.
    await this.#queue?.close();
    this.#state.close();
    cellMeters.forget(this.id);
    this.outputs.close();
    await Promise.all([
      this.history.close(this.historySource(), historyCloseMs),
      this.#deadLetters.close(lettersCloseMs),
      this.log.close(),
      this.#keptCode.remove(keptCodeCloseMs),
    ]);
  }

  #environment(plugin: LoadedPlugin): Record<string, string> {
    const env = cellEnvironment(plugin.manifest.env, this.#deps.env);
    for (const value of Object.values(env)) this.#secrets.add(value);
    this.#redactor = new Redactor([...this.#secrets]);
    return env;
  }

  #makeTools(plugin: LoadedPlugin, env: Readonly<Record<string, string>>): RunningTools {
    const { limits, clock } = this.#deps;
    const { mcp } = plugin.manifest;
    if (mcp !== undefined) return this.#requireServer(mcp);
    this.#server = undefined;
    return new PluginTools(plugin, {
      limits,
      env: { ...env },
      clock,
      records: this.#records,
      books: this.toolBooks,
      log: (message) => (message.type === 'log' ? this.log.fromCell(message, 0) : this.log.droppedByCell(message, 0)),
      failed: (error, callId) => passOnPlaced(error, this.#plugin, (told) => this.#callFailed(told, callId)),
      leftBehindEnded: () => {
        this.timeline.record({
          level: 'info',
          event: 'gone',
          message: "A cell of the plugin's tools that did not end in time has ended.",
          incarnation: 0,
        });
        this.#retiring.forgetEnded();
      },
    });
  }

  #makeService(plugin: LoadedPlugin, env: Readonly<Record<string, string>>): Service | undefined {
    const plan = planOf(plugin, env);
    if (plan === undefined) return undefined;
    const spawnCell = spawnCellFor(this.#deps.limits, this.#records);
    const placed = this.#placed;
    const { limits, store } = this.#deps;
    const service = new Service(plan, {
      ...this.#deps,
      placed,
      kept: placed === undefined ? this.#queue : undefined,
      ...(placed === undefined ? {} : { limits: { ...limits, ...placedLimits(limits) } }),
      write: (changes) => writeWherePlaced(changes, placed, store),
      commit: (changes, event) =>
        placed === undefined
          ? store.commit(changes)
          : placed.commit(changes, event, (others) => placed.records.commit(others)),
      random: Math.random,
      spawnCell: (spec, listener) =>
        spec.server === undefined
          ? spawnCell(spec, listener)
          : this.#requireServer(spec.server).spawn(spec.server, spec, listener),
      redact: (text) => this.#redactor.text(text),
      deadLetters: this.#deadLetters,
      state: this.#state,
      commands: this.outputs,
      keptCode: this.#keptCode,
      outlets: this.#outlets,
      cellLog: {
        log: (message, incarnation) => this.log.fromCell(message, incarnation),
        logDropped: (message, incarnation) => this.log.droppedByCell(message, incarnation),
        counts: () => this.log.counts,
      },
    });
    this.outputs.whenPaused((paused) => service.pauseForOutputs(paused));
    return service;
  }

  #requireServer(section: McpSection): PluginServer {
    this.#server ??= new PluginServer(section, this, this.#deps, {
      records: this.#records,
      failed: (error, callId) => this.#callFailed(error, callId),
      books: this.toolBooks,
    });
    this.#server.replan(section);
    return this.#server;
  }

  /** Ends its tools, those of before a reload included; what does not end in time is left. */
  async closeTools(deadlineMs: number): Promise<void> {
    await Promise.all(this.allTools().map((tools) => tools.close(deadlineMs)));
  }

  /** Threads that would keep the process from exiting: cells given up, and tools' cells that still exist. */
  get leftover(): number {
    return sum(this.allTools(), ({ threads }) => threads) + this.#unkillableOfServices();
  }

  /** Cells of its service and of its tools that were given up and still exist. */
  get unkillable(): number {
    return sum(this.allTools(), ({ unkillable }) => unkillable) + this.#unkillableOfServices();
  }

  #unkillableOfServices(): number {
    return (
      sum(
        [...this.#formerServices, ...(this.#service === undefined ? [] : [this.#service])],
        ({ unkillable }) => unkillable,
      ) + this.#trialsLeftBehind
    );
  }

  readonly allTools = (): RunningTools[] => [this.#tools, ...this.#retiring];

  /** A call of a tool, or an input of a worker. */
  #callFailed(error: HostError, correlationId: string | undefined, incarnation = 0): void {
    const at = new Date(this.#deps.clock.wallMs()).toISOString();
    const ids = correlationId === undefined ? {} : { correlationId };
    tellFailure(this.#outlets, redactedError(error, this.#redactor), { pluginId: this.id, at, incarnation, ids });
  }
}

const placeOf = ({ id, manifest: { service } }: LoadedPlugin, { place }: HostedDeps): PlacedQueue | undefined =>
  service === undefined ? undefined : place?.(id, service);

const sum = <Item>(items: readonly Item[], of: (item: Item) => number): number =>
  items.reduce((all, item) => all + of(item), 0);

/** A disk that hangs must not hold up the end of the daemon. */
const keptCodeCloseMs = 1500;
const lettersCloseMs = 1000;
const historyCloseMs = 500;
