// One loaded plugin with everything the host keeps for it: its service, its tools, its log and its timeline.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HostError } from '../protocol/errors.ts';
import type { PluginSummary } from '../protocol/operations/plugin.ts';
import { cellEnvironment } from './cells/environment.ts';
import { ThreadCell } from './cells/thread-cell.ts';
import type { Clock } from './clock.ts';
import type { Limits } from './config/schema.ts';
import type { LoadedPlugin } from './plugins/plugin.ts';
import { Service } from './services/service.ts';
import type { Logger } from './telemetry/daemon-log.ts';
import type { Feed } from './telemetry/feed.ts';
import { PluginLog } from './telemetry/plugin-log.ts';
import { Redactor } from './telemetry/redactor.ts';
import { Timeline } from './telemetry/timeline.ts';
import { PluginTools } from './tools/plugin-tools.ts';

export interface HostedDeps {
  readonly limits: Limits;
  readonly stateFolder: string;
  readonly clock: Clock;
  readonly feed: Feed;
  readonly log: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export class HostedPlugin {
  readonly plugin: LoadedPlugin;
  readonly log: PluginLog;
  readonly timeline: Timeline;
  readonly tools: PluginTools;
  readonly #service: Service | undefined;

  constructor(plugin: LoadedPlugin, deps: HostedDeps) {
    const { limits, clock, feed, log } = deps;
    const { manifest, id } = plugin;
    const env = cellEnvironment(manifest.env, deps.env);
    const redactor = new Redactor(Object.values(env));
    this.plugin = plugin;
    this.timeline = new Timeline({ capacity: limits.timeline, clock });
    this.log = new PluginLog({
      pluginId: id,
      folder: join(deps.stateFolder, 'logs'),
      limits,
      redactor,
      onLine: (line) => {
        if (feed.wants('log')) feed.publish({ topic: 'log', at: line.time, plugin: id, data: line });
      },
      onTrouble: (error) => log.warn({ plugin: id, err: error.message }, 'the plugin\'s log cannot be written'),
    });
    this.tools = new PluginTools(plugin, {
      limits,
      env,
      clock,
      log: (message) => (message.type === 'log' ? this.log.fromCell(message, 0) : this.log.droppedByCell(message, 0)),
      failed: (error, callId) => this.#toolFailed(error, callId, deps),
    });
    this.#service = manifest.service === undefined ? undefined : new Service(plugin, manifest.service, {
      clock,
      spawnCell: (spec, listener) => new ThreadCell(spec, listener, limits),
      env,
      limits,
      redact: (text) => redactor.text(text),
      outlets: {
        timeline: (entry) => void this.timeline.record(entry),
        feed: (event) => feed.publish(event),
        log: (level, message, fields) => {
          this.log.host(level, message, fields);
          const { stack: _stack, ...plain } = fields;
          log[level]({ plugin: id, ...plain }, message);
        },
      },
      cellLog: {
        log: (message, incarnation) => this.log.fromCell(message, incarnation),
        logDropped: (message, incarnation) => this.log.droppedByCell(message, incarnation),
        counts: () => this.log.counts,
      },
      entryUrl: pathToFileURL(plugin.entry).href,
    });
  }

  get id(): string {
    return this.plugin.id;
  }

  get service(): Service | undefined {
    return this.#service;
  }

  /** For operations that mean a service. */
  requireService(): Service {
    if (this.#service !== undefined) return this.#service;
    throw new HostError('unsupported_operation', `The plugin ${this.id} has no service; it offers ${this.plugin.manifest.tools.length > 0 ? 'tools' : 'nothing that can be called'}.`, {
      plugin: this.id,
      tools: this.plugin.manifest.tools.map(({ name }) => name),
    });
  }

  requireEnabled(): void {
    if (!this.plugin.enabled) throw new HostError('plugin_disabled', `The configuration disables the plugin ${this.id}.`, { plugin: this.id });
  }

  summary(): PluginSummary {
    const { manifest, enabled } = this.plugin;
    return {
      id: this.id,
      name: manifest.name,
      version: manifest.version,
      state: enabled ? 'loaded' : 'disabled',
      hasService: this.#service !== undefined,
      lifecycle: this.#service?.lifecycle ?? null,
      tools: manifest.tools.map(({ name }) => name),
      isolation: manifest.isolation,
    };
  }

  #toolFailed(error: HostError, callId: string | undefined, { feed, log, clock }: HostedDeps): void {
    this.timeline.record({ level: 'error', event: error.code, message: error.message, incarnation: 0, ...(callId === undefined ? {} : { correlationId: callId }), data: { ...error.details } });
    this.log.host('error', error.message, { code: error.code });
    log.warn({ plugin: this.id, code: error.code }, error.message);
    feed.publish({ topic: 'failure', at: new Date(clock.wallMs()).toISOString(), plugin: this.id, data: { ...error.toWire() } });
  }
}
