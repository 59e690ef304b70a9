// A plugin as the host knows it once its manifest was read: declared data with the operator's overrides applied.
import type { Manifest } from '../../protocol/manifest.ts';

export interface LoadedPlugin {
  readonly id: string;
  /** Real path of the folder. */
  readonly folder: string;
  /** Real path of the entry, inside the folder. */
  readonly entry: string;
  /** Where the code is if not in the folder: in a copy that was kept of it. */
  readonly codeFolder?: string;
  readonly manifest: Manifest;
  /** What the configuration changed, by manifest path. */
  readonly overridden: readonly string[];
  readonly enabled: boolean;
  readonly autostart: boolean;
  /** What the plugin finds as `ctx.config`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What the manifest asks for that this daemon does not act on. */
  readonly notes: readonly string[];
  /** The daemon's control socket, where the plugin's permissions keep it from its cells. */
  readonly keptSocket?: string;
}

/** Under permissions the daemon's control socket is kept from a plugin that was not granted it. */
export function keepingSocket(plugin: LoadedPlugin, controlSocket: string | undefined): LoadedPlugin {
  const { permissions } = plugin.manifest;
  return permissions === undefined || permissions.control || controlSocket === undefined
    ? plugin
    : { ...plugin, keptSocket: controlSocket };
}
