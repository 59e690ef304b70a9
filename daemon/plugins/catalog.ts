// The plugins this daemon knows, by id, and those it refused: the one place that says whether a plugin is loaded.
import { HostError } from '../../protocol/errors.ts';
import { nearest } from '../../protocol/issues.ts';
import type { InvalidPlugin } from './invalid-plugin.ts';
import type { LoadedPlugin } from './plugin.ts';

export interface CatalogOptions {
  /** `limits.plugins` of the configuration. */
  readonly maxPlugins: number;
}

const keptInvalid = 256;
/** Looking for what a mistyped id means must not cost more the more plugins there are. */
const comparedIds = 500;

export class Catalog {
  readonly #maxPlugins: number;
  readonly #plugins = new Map<string, LoadedPlugin>();
  readonly #invalid = new Map<string, InvalidPlugin>();

  constructor(options: CatalogOptions) {
    this.#maxPlugins = options.maxPlugins;
  }

  get size(): number {
    return this.#plugins.size;
  }

  /** In the order they were loaded. */
  list(): readonly LoadedPlugin[] {
    return [...this.#plugins.values()];
  }

  has(id: string): boolean {
    return this.#plugins.has(id);
  }

  get(id: string): LoadedPlugin {
    const plugin = this.#plugins.get(id);
    if (plugin !== undefined) return plugin;
    const meant = nearest(
      id,
      [...this.#plugins.keys()]
        .filter((known) => Math.abs(known.length - id.length) <= Math.max(2, id.length / 3))
        .slice(0, comparedIds),
    );
    const hint = meant === undefined ? '' : ` Did you mean "${meant}"?`;
    throw new HostError('plugin_not_found', `No plugin "${id}" is loaded.${hint}`, {
      plugin: id,
      ...(meant === undefined ? {} : { nearest: meant }),
    });
  }

  add(plugin: LoadedPlugin): void {
    const loaded = this.#plugins.get(plugin.id);
    if (loaded !== undefined) {
      const from = loaded.folder === plugin.folder ? '' : `, from ${loaded.folder}`;
      throw new HostError(
        'plugin_already_loaded',
        `The plugin "${plugin.id}" is loaded already${from}; unload it first.`,
        { plugin: plugin.id, path: loaded.folder },
      );
    }
    if (this.#plugins.size >= this.#maxPlugins) {
      throw new HostError(
        'limit_too_large',
        `As many plugins are loaded as limits.plugins (${String(this.#maxPlugins)}) allows.`,
        { limit: 'limits.plugins', maximum: this.#maxPlugins },
      );
    }
    this.#plugins.set(plugin.id, plugin);
    this.#invalid.delete(plugin.folder);
  }

  /** The same plugin, read again. */
  replace(plugin: LoadedPlugin): void {
    this.get(plugin.id);
    this.#plugins.set(plugin.id, plugin);
  }

  remove(id: string): LoadedPlugin {
    const plugin = this.get(id);
    this.#plugins.delete(id);
    return plugin;
  }

  /** The newest refusals, one a path: a folder that is corrected and loaded leaves the list. */
  get invalid(): readonly InvalidPlugin[] {
    return [...this.#invalid.values()];
  }

  forgetInvalid(path: string): void {
    this.#invalid.delete(path);
  }

  noteInvalid(found: InvalidPlugin): void {
    this.#invalid.delete(found.path);
    this.#invalid.set(found.path, found);
    const [oldest] = this.#invalid.keys();
    if (this.#invalid.size > keptInvalid && oldest !== undefined) this.#invalid.delete(oldest);
  }
}
