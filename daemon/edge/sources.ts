// All sources of all plugins: which there are, whether they are paused, and what is known of each. It runs the edge's
// thread while any of them needs it, and hands what arrives to the services.
import { HostError } from '../../protocol/errors.ts';
import { Gathered } from '../../protocol/gathered.ts';
import type {
  CommandAnswer,
  EdgeAnswer,
  EdgeCommand,
  EdgeDeclaration,
  EdgeEvent,
  EdgeSource,
  FromEdge,
} from '../../protocol/edge/messages.ts';
import { nearest } from '../../protocol/issues.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import { sourceKey } from '../../protocol/sources.ts';
import type { SourceInStatus, SourceStatus } from '../../protocol/operations/source.ts';
import type { Config } from '../config/schema.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import type { Clock } from '../time/clock.ts';
import { EdgeSupervisor } from './edge-supervisor.ts';
import type { SpawnEdge } from './edge-thread.ts';
import { LastRuns } from './last-runs.ts';
import { EdgeCommands } from './edge-commands.ts';
import { PausedSources } from './paused-sources.ts';
import type { Schedules } from './schedules.ts';
import { SourceMemory } from './source-memory.ts';
import { SourceIntake, type SourceService } from './source-intake.ts';
import { type DeclaredSource, SourceRow } from './source-row.ts';

export interface SourcesOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly store: Store;
  readonly log: Logger;
  /** Undefined where the plugin is gone or has no service any more. */
  service(plugin: string): SourceService | undefined;
  /** For the plugin's timeline. */
  note(plugin: string, event: string, message: string, data: Readonly<Record<string, unknown>>): void;
  /** The descriptor of a port that somebody else has bound; undefined where the edge binds it itself. */
  openPort?(host: string, port: number): Promise<number>;
  readonly spawn?: SpawnEdge;
}

/** Of the members that share its service: each of them would be sent the same. */
const isOnOneMember = ({ declaration: { type }, isRepliedTo }: DeclaredSource): boolean =>
  type === 'mqtt' || (type === 'websocket' && !isRepliedTo);

/** How long a list waits for the newest figures. */
const refreshMs = 500;

export class Sources {
  readonly #options: SourcesOptions;
  readonly #rows = new Map<string, SourceRow>();
  readonly #intakes = new Map<string, SourceIntake>();
  readonly #supervisor: EdgeSupervisor;
  readonly #commands = new EdgeCommands((message) => {
    this.#supervisor.start();
    return this.#supervisor.post(message);
  });
  readonly #answers = new Gathered<EdgeAnswer>((answers) => this.#supervisor.post({ type: 'answers', answers }));
  readonly #paused: PausedSources;
  readonly #lastRuns: LastRuns;
  readonly #memory: SourceMemory;
  #schedules: Promise<Schedules> | undefined;
  /** Where webhooks are reached. */
  #webhooks: { readonly host: string; readonly port: number } | undefined;

  constructor(options: SourcesOptions) {
    const { config, clock, store } = options;
    this.#options = options;
    this.#paused = new PausedSources(store);
    this.#lastRuns = new LastRuns(store);
    this.#memory = new SourceMemory(store);
    const { eventBytes, nesting, edgeEvents, edgeStalledMs } = config.limits;
    this.#supervisor = new EdgeSupervisor({
      data: { eventBytes, nesting, inFlight: edgeEvents, webhooks: config.webhooks !== undefined },
      stalledMs: edgeStalledMs,
      clock,
      ...(options.spawn === undefined ? {} : { spawn: options.spawn }),
      began: () => this.#began(),
      message: (message) => this.#receive(message),
      lost: (why, isReplaced) => this.#lost(why, isReplaced),
    });
  }

  /** Reads what an earlier daemon was told. */
  async open(): Promise<void> {
    await Promise.all([this.#paused.read(), this.#lastRuns.read()]);
  }

  /** What a plugin declares now; an empty list takes its sources away. */
  async declare(plugin: string, declared: readonly DeclaredSource[]): Promise<void> {
    const nowMs = this.#options.clock.wallMs();
    const wanted = new Set(declared.map(({ declaration }) => sourceKey(plugin, declaration.name)));
    for (const [key, row] of this.#rows) {
      if (row.declared.plugin !== plugin || wanted.has(key)) continue;
      this.#rows.delete(key);
      this.#intakes.delete(key);
    }
    for (const one of declared) {
      const key = sourceKey(plugin, one.declaration.name);
      const known = this.#rows.get(key);
      // Another type under the same name is another source.
      if (known?.declared.declaration.type === one.declaration.type) {
        known.declared = one;
        known.asked += 1;
      } else this.#rows.set(key, new SourceRow(one, this.#paused.has(key), nowMs));
    }
    this.#tellEdge();
    await this.#tellSchedules();
  }

  /** A service began or ceased to take events: its connections are opened or closed. */
  servicesChanged(): void {
    if (this.#supervisor.running) this.#tellEdge();
  }

  /** The plugin is unloaded: nothing of it is remembered. */
  async forget(plugin: string): Promise<void> {
    await this.declare(plugin, []);
    await Promise.all([this.#paused.forget(plugin), this.#lastRuns.forget(plugin), this.#memory.forget(plugin)]);
  }

  async list(plugin?: string): Promise<SourceStatus[]> {
    await this.#supervisor.refresh(refreshMs);
    return this.known(plugin);
  }

  /** As it was last reported. */
  known(plugin?: string): SourceStatus[] {
    return [...this.#rows.values()]
      .filter(({ declared }) => plugin === undefined || declared.plugin === plugin)
      .map((row) => this.#view(row));
  }

  /** What is known of them at this moment. */
  inStatus(plugin: string): SourceInStatus[] {
    return [...this.#rows.values()].flatMap((row) => {
      if (row.declared.plugin !== plugin) return [];
      const { plugin: _, lastError, ...rest } = this.#view(row);
      return [{ ...rest, lastError: lastError === null ? null : { code: lastError.code, at: lastError.at } }];
    });
  }

  async pause(plugin: string, name: string, paused: boolean): Promise<SourceStatus> {
    const row = this.#row(plugin, name);
    const isAnother = row.paused !== paused;
    row.paused = paused;
    if (!paused) row.asked += 1;
    this.#tellEdge();
    if (isAnother) (await this.#schedules)?.pausedOrResumed(row.key);
    await this.#paused.set(row.key, paused);
    await this.#supervisor.refresh(refreshMs);
    return this.#view(row);
  }

  async trigger(plugin: string, name: string): Promise<OperationResult<'source.trigger'>> {
    const row = this.#row(plugin, name);
    const { type } = row.declared.declaration;
    if (type === 'schedule' && this.#schedules !== undefined) return await (await this.#schedules).trigger(row.key);
    throw new HostError('unsupported_operation', `Only schedules can be triggered; ${name} is a ${type}.`, {
      instead: 'ingress.publish',
    });
  }

  /** One attempt to deliver a command. Never rejects. */
  send(command: EdgeCommand): Promise<CommandAnswer> {
    return this.#commands.send(command);
  }

  /** Answers how many sources there are. */
  reread(): number {
    this.#supervisor.post({ type: 'reread' });
    return this.#rows.size;
  }

  /** Takes nothing new; what is on its way is still answered. */
  drain(): void {
    this.#supervisor.drain();
    void this.#schedules?.then((schedules) => schedules.close());
  }

  close(): void {
    this.#supervisor.close();
  }

  #row(plugin: string, name: string): SourceRow {
    const row = this.#rows.get(sourceKey(plugin, name));
    if (row !== undefined) return row;
    const names = [...this.#rows.values()]
      .filter(({ declared }) => declared.plugin === plugin)
      .map(({ declared }) => declared.declaration.name);
    const meant = nearest(name, names);
    throw new HostError(
      'source_not_found',
      `The plugin ${plugin} has no source "${name}"${meant === undefined ? '.' : `; did you mean "${meant}"?`}`,
      { plugin, source: name, ...(meant === undefined ? {} : { nearest: meant }) },
    );
  }

  #view(row: SourceRow): SourceStatus {
    const { declaration } = row.declared;
    const at = this.#webhooks;
    const isReachable = declaration.type === 'webhook' && at !== undefined;
    return row.view(
      isReachable
        ? `http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${String(at.port)}/hooks/${row.key}`
        : undefined,
    );
  }

  /** Starts the thread with the first source that needs it. */
  #tellEdge(): void {
    if (this.#supervisor.running) this.#supervisor.post({ type: 'sources', sources: this.#forEdge() });
    else if (this.#forEdge().length > 0) this.#supervisor.start();
  }

  /** What computes when they are due is loaded with the first of them. */
  async #tellSchedules(): Promise<void> {
    const rows = [...this.#rows.values()].filter(({ declared }) => declared.declaration.type === 'schedule');
    if (this.#schedules === undefined && rows.length === 0) return;
    const { clock, service, note, config } = this.#options;
    const { withinMs } = config.limits;
    this.#schedules ??= import('./schedules.ts').then(
      ({ Schedules }) => new Schedules({ clock, service, note, lastRuns: this.#lastRuns, withinMs }),
    );
    (await this.#schedules).declare(rows);
  }

  #forEdge(): EdgeSource[] {
    return [...this.#rows.values()].flatMap((row): EdgeSource[] => {
      const { plugin, declaration, kinds, folder, readable } = row.declared;
      if (declaration.type === 'schedule') return [];
      const { name } = declaration;
      const own: EdgeDeclaration = declaration;
      const service = this.#options.service(plugin);
      const isOpenHere = !isOnOneMember(row.declared) || service?.subscribes === true;
      const accepting = service?.acceptsEvents === true && isOpenHere;
      const { key, paused, asked } = row;
      return [{ key, plugin, name, declaration: own, kinds, folder, readable, paused, asked, accepting }];
    });
  }

  #began(): void {
    void this.#listen();
    this.#supervisor.post({ type: 'sources', sources: this.#forEdge() });
  }

  async #listen(): Promise<void> {
    const { config, openPort, log } = this.#options;
    if (config.webhooks === undefined) return;
    const { host, limits } = config.webhooks;
    // A port that was free once is kept, so that senders find it again.
    const port = this.#webhooks?.port ?? config.webhooks.port;
    try {
      const fd = await openPort?.(host, config.webhooks.port);
      this.#supervisor.post({
        type: 'listen',
        order: { host, port, bounds: limits, ...(fd === undefined ? {} : { fd }) },
      });
    } catch (thrown) {
      log.error({ err: thrown instanceof Error ? thrown.message : 'unknown' }, 'webhooks cannot be listened for');
    }
  }

  #receive(message: FromEdge): void {
    switch (message.type) {
      case 'events':
        for (const event of message.events) void this.#take(event);
        break;
      case 'reports':
        for (const report of message.reports) this.#rows.get(report.key)?.reported(report);
        break;
      case 'commandAnswers':
        this.#commands.answered(message.answers);
        break;
      case 'recall':
        void this.#recall(message.key);
        break;
      case 'remember':
        if (this.#rows.has(message.key)) void this.#memory.remember(message.key, message.changes);
        break;
      case 'listening':
        this.#webhooks = { host: message.host, port: message.port };
        this.#options.log.info({ host: message.host, port: message.port }, 'listening for webhooks');
        break;
      case 'unlistenable':
        this.#options.log.error({ reason: message.reason }, 'webhooks cannot be listened for; it is tried again');
        break;
    }
  }

  async #recall(key: string): Promise<void> {
    const entries = await this.#memory.recall(key);
    this.#supervisor.post({ type: 'recalled', key, entries });
  }

  #lost(why: string, isReplaced: boolean): void {
    this.#commands.lost();
    const nowMs = this.#options.clock.wallMs();
    for (const row of this.#rows.values()) if (row.declared.declaration.type !== 'schedule') row.lost(nowMs);
    if (isReplaced) this.#options.log.error({ why }, 'the thread of sources and outputs is gone and is started again');
  }

  async #take(event: EdgeEvent): Promise<void> {
    const answer = await this.#answerTo(event);
    this.#answers.add(answer);
  }

  async #answerTo({ id, key, ...event }: EdgeEvent): Promise<EdgeAnswer> {
    const row = this.#rows.get(key);
    const service = row === undefined ? undefined : this.#options.service(row.declared.plugin);
    if (row === undefined || service === undefined)
      return { id, outcome: 'refused', code: 'service_unavailable', message: 'Its plugin was unloaded.' };
    const intake = this.#intakes.get(key) ?? new SourceIntake(key);
    this.#intakes.set(key, intake);
    const outcome = await intake.take(service, { ...event, ingress: row.declared.declaration.ingress });
    if (outcome.outcome === 'output') return { id, ...outcome };
    if (outcome.outcome === 'accepted')
      return { id, outcome: 'accepted', correlationId: outcome.correlationId, duplicate: outcome.duplicate };
    const { code, message, details } = outcome.error;
    const { retryAfterMs } = details;
    return { id, outcome: 'refused', code, message, ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}) };
  }
}
