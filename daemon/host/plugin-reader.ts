// Reads plugins' folders with the daemon's configuration and environment, and refuses JSON Schemas that do not compile.
import { schemaIssues } from '../isolates/schema-compilation.ts';
import type { Config } from '../config/schema.ts';
import { readPlugin, refusedPlugin } from '../plugins/manifest-file.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';

export class PluginReader {
  readonly #config: Config;
  readonly #env: Readonly<Record<string, string | undefined>>;
  #schemaChecks: Promise<unknown> = Promise.resolve();

  constructor(config: Config, env: Readonly<Record<string, string | undefined>>) {
    this.#config = config;
    this.#env = env;
  }

  /** Without a look at its schemas: at the daemon's start the cell finds what is wrong with them. */
  read(folder: string): LoadedPlugin {
    const {
      plugins,
      limits,
      store: { durability },
    } = this.#config;
    return readPlugin(folder, {
      overrides: plugins.overrides,
      manifestBytes: limits.manifestBytes,
      env: this.#env,
      durability,
    });
  }

  /** Rejects with `plugin_invalid` for a JSON Schema that does not compile, too. */
  async readChecked(folder: string): Promise<LoadedPlugin> {
    const plugin = this.read(folder);
    await this.#requireSchemas(plugin);
    return plugin;
  }

  /** One plugin at a time, so that many that are loaded at once start no more than one process for it. */
  async #requireSchemas({ folder, manifest }: LoadedPlugin): Promise<void> {
    const checked = this.#schemaChecks.then(() => schemaIssues(manifest, this.#config.limits.schemaCheckMs));
    // Its failure is told to the one who waits for it, below.
    this.#schemaChecks = checked.catch(() => undefined);
    const issues = await checked;
    if (issues.length > 0) throw refusedPlugin(folder, issues);
  }
}
