// A plugin as the host knows it once its manifest was read: declared data with the operator's overrides applied.
import type { Manifest } from '../../protocol/manifest.ts';

export interface LoadedPlugin {
  readonly id: string;
  /** Real path of the folder. */
  readonly folder: string;
  /** Real path of the entry, inside the folder. */
  readonly entry: string;
  readonly manifest: Manifest;
  /** What the configuration changed, by manifest path. */
  readonly overridden: readonly string[];
  readonly enabled: boolean;
  readonly autostart: boolean;
  /** What the plugin finds as `ctx.config`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What the manifest asks for that this daemon does not act on. */
  readonly notes: readonly string[];
}
