// What a daemon loads and starts by itself: what lies in its folders, what an earlier daemon had loaded at run time,
// and the services that are to run. Whatever is wrong with one plugin is noted, and keeps no other from being loaded.
import { asHostError } from '../../protocol/errors.ts';
import type { Config } from '../config/schema.ts';
import type { Catalog } from '../plugins/catalog.ts';
import { discover } from '../plugins/discovery.ts';
import { invalidPlugin } from '../plugins/invalid-plugin.ts';
import { type RememberedPlugin, RememberedPlugins } from '../plugins/remembered-plugins.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import type { Feed, FeedSubscription } from '../telemetry/feed.ts';
import type { Clock } from '../time/clock.ts';
import type { HostedPlugin } from './hosted-plugin.ts';
import { StartFailures } from './start-failures.ts';

/** What of the host it needs. */
interface StartingHost {
  readonly catalog: Catalog;
  list(): readonly HostedPlugin[];
  startAtStart(id: string): Promise<void>;
}

export interface AtStartOptions {
  readonly config: Config;
  readonly store: Store;
  readonly log: Logger;
  /** Loads a plugin without importing it. */
  add(folder: string): Promise<HostedPlugin>;
  /** Plugins that an earlier daemon had loaded are loaded, later than at the start. */
  foundLate(): void;
  readonly feed: Pick<Feed, 'subscribe'>;
  readonly stateFolder: string;
  /** The guardian has started this daemon in place of one that died. */
  readonly afterDeath: boolean;
  readonly clock: Pick<Clock, 'wallMs'>;
}

export class AtStart {
  readonly remembered: RememberedPlugins;
  readonly failures: StartFailures;
  readonly #host: StartingHost;
  readonly #options: AtStartOptions;
  #isRead = false;
  #watched: FeedSubscription | undefined;

  constructor(host: StartingHost, options: AtStartOptions) {
    this.#host = host;
    this.#options = options;
    this.remembered = new RememberedPlugins(options.store, () => void this.#foundLate());
    const { stateFolder, log, afterDeath, clock } = options;
    this.failures = new StartFailures({ stateFolder, log, counts: !afterDeath, nowMs: () => clock.wallMs() });
  }

  /** The daemon's start does not wait for JSON Schemas to be compiled: the cells that use them do that. */
  async loadAll(folders: readonly string[]): Promise<void> {
    const { config, log } = this.#options;
    const found = discover(folders, { maxPlugins: config.limits.plugins });
    for (const refused of found.invalid) {
      this.#host.catalog.noteInvalid(refused);
      log.warn({ path: refused.path, issues: refused.issues }, 'a folder could not be looked at');
    }
    for (const folder of found.folders) await this.#load(folder);
    try {
      await this.remembered.read();
    } catch {
      // The operator was told; what is remembered is loaded when the store can be read.
      return;
    }
    await this.#loadRemembered();
    this.#isRead = true;
  }

  /** What an earlier daemon had been told to load is loaded. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** Starts, side by side, every service that is to start with the daemon. */
  async autostart(among: readonly HostedPlugin[] = this.#host.list()): Promise<void> {
    const toRun = among.filter((hosted) => this.#isToRun(hosted) && !this.#isLeftOut(hosted));
    await Promise.all(toRun.map(({ id }) => this.#start(id)));
  }

  /** It has failed at too many starts in a row. */
  #isLeftOut(hosted: HostedPlugin): boolean {
    const left = this.failures.leaveOut(hosted.id);
    if (left === undefined) return false;
    hosted.tell('left_out', left.inFull, 'error');
    this.#options.log.error({ plugin: hosted.id }, left.inFull);
    return true;
  }

  /** Whether the daemon would start it if nobody asked for anything. */
  startsByItself({ plugin, remembered }: HostedPlugin): boolean {
    return !remembered && this.#options.config.plugins.autostart && plugin.autostart;
  }

  #isToRun(hosted: HostedPlugin): boolean {
    if (hosted.service === undefined || !hosted.plugin.enabled) return false;
    const wanted = this.remembered.get(hosted.id)?.wanted ?? null;
    return wanted === null ? this.startsByItself(hosted) : wanted === 'running';
  }

  async #start(id: string): Promise<void> {
    try {
      await this.#host.startAtStart(id);
      this.failures.forget(id);
    } catch (thrown) {
      const { code, message } = asHostError(thrown);
      this.#options.log.error({ plugin: id, code }, 'a service did not start');
      this.failures.failed(id, code, message);
      this.#forgetOnceItRuns();
    }
  }

  /** The supervisor may bring it up after all. */
  #forgetOnceItRuns(): void {
    this.#watched ??= this.#options.feed.subscribe({
      filter: { topics: ['lifecycle'] },
      buffer: 1,
      push: ({ event: { plugin, data } }) => {
        if (data['to'] === 'running') this.failures.forget(plugin);
        return true;
      },
    });
  }

  close(): Promise<void> {
    this.#watched?.close();
    return this.failures.close();
  }

  async #load(folder: string, remembered?: RememberedPlugin): Promise<HostedPlugin | undefined> {
    const { catalog } = this.#host;
    try {
      return await this.#options.add(folder);
    } catch (thrown) {
      const refused = invalidPlugin(folder, thrown);
      const forget =
        remembered === undefined
          ? []
          : [
              {
                path: '',
                message: `it was loaded as ${remembered.id}; \`nagaya unload ${remembered.id}\` makes the daemon forget it`,
              },
            ];
      catalog.noteInvalid({ ...refused, issues: [...refused.issues, ...forget] });
      this.#options.log.warn({ path: folder, issues: refused.issues }, 'a plugin was refused');
      return undefined;
    }
  }

  /** Those that an earlier daemon was told to load, in the order of their ids. */
  async #loadRemembered(): Promise<HostedPlugin[]> {
    const loaded: HostedPlugin[] = [];
    for (const plugin of this.remembered.list()) {
      const { id, folder } = plugin;
      // A folder of the configuration may hold the same plugin by now.
      if (folder === null || (this.#host.catalog.has(id) && this.#host.catalog.get(id).folder === folder)) continue;
      const hosted = await this.#load(folder, plugin);
      if (hosted === undefined) continue;
      hosted.remembered = true;
      loaded.push(hosted);
      // The folder holds another plugin than it did.
      if (hosted.id !== id) await Promise.all([this.remembered.forget(id), this.remembered.loaded(hosted.id, folder)]);
    }
    return loaded;
  }

  async #foundLate(): Promise<void> {
    const loaded = await this.#loadRemembered();
    this.#isRead = true;
    this.#options.foundLate();
    await this.autostart(loaded);
  }
}
