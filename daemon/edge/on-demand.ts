// Loads what runs sources with the first plugin that declares one: a daemon without them pays nothing.
import { HostError } from '../../protocol/errors.ts';
import type { CommandAnswer, EdgeCommand } from '../../protocol/edge/messages.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import type { SourceInStatus, SourceStatus } from '../../protocol/operations/source.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import type { DeclaredSource } from './source-row.ts';
import type { SourceService } from './source-intake.ts';
import type { Sources, SourcesOptions } from './sources.ts';
import type { Feed, FeedSubscription } from '../telemetry/feed.ts';

interface Hosted {
  readonly service: SourceService | undefined;
  /** Into its timeline. */
  note(event: string, message: string, data: Readonly<Record<string, unknown>>): void;
}

interface Surroundings extends Pick<SourcesOptions, 'config' | 'clock' | 'store' | 'log'> {
  /** Tells when a service starts, fails or stops. */
  readonly feed: Pick<Feed, 'subscribe'>;
  /** Who holds the port for webhooks, where that is not the edge itself. */
  readonly guarding?: { readonly link: { openWebhooks(host: string, port: number): Promise<number> } } | undefined;
}

export class EdgeOnDemand {
  readonly #options: SourcesOptions;
  #loading: Promise<Sources> | undefined;
  #sources: Sources | undefined;
  readonly #feed: Pick<Feed, 'subscribe'>;
  #lifecycles: FeedSubscription | undefined;
  #closed = false;

  /** `get` answers undefined where the plugin is gone. */
  constructor({ guarding, feed, ...options }: Surroundings, get: (plugin: string) => Hosted | undefined) {
    this.#feed = feed;
    const openPort = guarding?.link.openWebhooks;
    this.#options = {
      ...options,
      service: (plugin) => get(plugin)?.service,
      note: (plugin, event, message, data) => get(plugin)?.note(event, message, data),
      ...(openPort === undefined ? {} : { openPort }),
    };
  }

  /** What a plugin declares from now on. A plugin that is disabled has no sources. */
  async declare(plugin: LoadedPlugin): Promise<void> {
    const declared = declaredBy(plugin);
    if (this.#loading === undefined && declared.length === 0) return;
    const sources = await this.#load();
    if (!this.#closed) await sources.declare(plugin.id, declared);
  }

  async forget(id: string): Promise<void> {
    await (await this.#loading)?.forget(id);
  }

  async list(plugin?: string): Promise<SourceStatus[]> {
    return (await (await this.#loading)?.list(plugin)) ?? [];
  }

  /** What is known of them at this moment; nobody is asked. */
  inStatus(plugin: string): SourceInStatus[] {
    return this.#sources?.inStatus(plugin) ?? [];
  }

  /** The same as it was last reported, at once. */
  known(): SourceStatus[] {
    return this.#sources?.known() ?? [];
  }

  async pause(plugin: string, name: string, paused: boolean): Promise<SourceStatus> {
    return await (await this.#with(plugin, name)).pause(plugin, name, paused);
  }

  async trigger(plugin: string, name: string): Promise<OperationResult<'source.trigger'>> {
    return await (await this.#with(plugin, name)).trigger(plugin, name);
  }

  /** One attempt to deliver a command. Never rejects. */
  async send(command: EdgeCommand): Promise<CommandAnswer> {
    if (this.#closed) return (await import('./edge-commands.ts')).edgeGone;
    return await (await this.#load()).send(command);
  }

  /** Reads the credentials of all sources again; answers how many sources there are. */
  async reread(): Promise<number> {
    return (await this.#loading)?.reread() ?? 0;
  }

  /** Takes nothing new; what is on its way is still answered. */
  drain(): void {
    this.#closed = true;
    this.#sources?.drain();
  }

  close(): void {
    this.#closed = true;
    this.#lifecycles?.close();
    this.#sources?.close();
  }

  async #with(plugin: string, name: string): Promise<Sources> {
    const sources = await this.#loading;
    if (sources !== undefined) return sources;
    throw new HostError('source_not_found', `The plugin ${plugin} has no source "${name}".`, { plugin, source: name });
  }

  #load(): Promise<Sources> {
    return (this.#loading ??= this.#begin());
  }

  async #begin(): Promise<Sources> {
    const { Sources } = await import('./sources.ts');
    const sources = new Sources(this.#options);
    await sources.open();
    this.#sources = sources;
    let told = false;
    const tell = (): void => {
      told = false;
      if (!this.#closed) sources.servicesChanged();
    };
    this.#lifecycles = this.#feed.subscribe({
      filter: { topics: ['lifecycle'] },
      buffer: 1,
      // Once for all that change in one turn.
      push: () => {
        if (!told) setImmediate(tell);
        return (told = true);
      },
    });
    return sources;
  }
}

function declaredBy({ id, folder, enabled, manifest: { service, permissions } }: LoadedPlugin): DeclaredSource[] {
  if (!enabled || service === undefined) return [];
  return service.sources.map((declaration) => ({
    plugin: id,
    declaration,
    isRepliedTo: service.outputs.some((output) => output.type === 'websocket' && output.source === declaration.name),
    kinds: service.ingresses.find(({ name }) => name === declaration.ingress)?.kinds ?? [],
    folder,
    readable: permissions?.fs.read,
  }));
}
