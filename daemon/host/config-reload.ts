// Reads the configuration again while the daemon runs. Little of it can change then: levels of the log, overrides for
// the next reload of their plugin, and credentials. Everything else is compared and named, so that nobody believes in
// a bound that does not hold.
import type { ConfigReload } from '../../protocol/operations/config.ts';
import { loadConfig } from '../config/load.ts';
import type { EnvFile } from '../config/env-file.ts';
import type { Config } from '../config/schema.ts';
import { differences } from '../config/differences.ts';

export interface ReloadParts {
  /** In force. Overrides are read from it whenever a plugin is loaded or reloaded. */
  readonly config: Config;
  readonly configPath: string | null;
  readonly log: { info(fields: object, message: string): void; setLevel(level: Config['log']['level']): void };
  loaded(plugin: string): boolean;
  readonly envFile: Pick<EnvFile, 'read'>;
  /** Answers how many sources there are. */
  rereadCredentials(): Promise<number>;
}

/** Throws `config_invalid`; then nothing has changed. */
export async function reloadConfig(parts: ReloadParts): Promise<ConfigReload> {
  const { config, configPath, log } = parts;
  const { config: next, path } = await loadConfig(configPath === null ? {} : { path: configPath });
  // It may be what is broken: then nothing has changed yet.
  parts.envFile.read(next.plugins.envFile);
  const applied: string[] = [];
  const pending: { path: string; remedy: string }[] = [];
  for (const changed of differences(config, next)) {
    const [section, part, plugin] = changed;
    const isOverride = section === 'plugins' && part === 'overrides' && plugin !== undefined;
    if (section === 'log' || (section === 'plugins' && part === 'envFile') || (isOverride && !parts.loaded(plugin)))
      applied.push(changed.join('.'));
    else
      pending.push({ path: changed.join('.'), remedy: isOverride ? `nagaya reload ${plugin}` : 'restart the daemon' });
  }
  if (config.log.level !== next.log.level) log.setLevel(next.log.level);
  config.log.level = next.log.level;
  config.plugins.overrides = next.plugins.overrides;
  config.plugins.envFile = next.plugins.envFile;
  const sources = await parts.rereadCredentials();
  log.info(
    { config: path, applied, pending: pending.map((one) => one.path), sources },
    'the configuration was read again',
  );
  return { config: path, applied, pending, sources };
}
