// One plugin while its author works on it: brings what is in its folder into the daemon, whatever state the daemon has
// it in, and says how that went. A version that does not load or start changes nothing of what runs.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../../protocol/client/client.ts';
import { HostError } from '../../../protocol/errors.ts';
import type { PluginSummary } from '../../../protocol/operations/plugin.ts';

export type Brought =
  | {
      readonly how: 'loaded' | 'reloaded';
      readonly plugin: PluginSummary;
      readonly incarnation: number;
      readonly tookMs: number;
    }
  | { readonly how: 'refused'; readonly error: HostError; readonly goesOn: boolean };

/** A service that is just starting or stopping comes to an end of that by its own deadlines. */
const betweenStatesMs = 60_000;
const againMs = 200;

export class DevSession {
  readonly #client: Client;
  readonly #folder: string;
  #id: string | undefined;
  #loadedHere = false;

  /** `folder` is its real path, by which the daemon knows it. */
  constructor(client: Client, folder: string) {
    this.#client = client;
    this.#folder = folder;
  }

  /** Undefined until it could be loaded. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Rejects only when the daemon is gone, or has another plugin by that name. */
  async bring(): Promise<Brought> {
    const beganMs = performance.now();
    try {
      const how = await this.#loadOrReload();
      const { plugin, incarnation } = await this.#runs();
      return { how, plugin, incarnation, tookMs: performance.now() - beganMs };
    } catch (thrown) {
      if (
        !(thrown instanceof HostError) ||
        thrown.code === 'connection_closed' ||
        thrown.code === 'plugin_already_loaded'
      )
        throw thrown;
      if (thrown.code === 'plugin_not_found') this.#id = undefined;
      return { how: 'refused', error: thrown, goesOn: await this.#goesOn() };
    }
  }

  /** What this session has loaded goes with it; what was there before stays. */
  async leave(): Promise<boolean> {
    if (this.#id === undefined || !this.#loadedHere) return false;
    await this.#client.call('plugin.unload', { plugin: this.#id });
    return true;
  }

  async #loadOrReload(): Promise<'loaded' | 'reloaded'> {
    if (this.#id !== undefined) {
      await this.#reload(this.#id);
      return 'reloaded';
    }
    try {
      const { plugin } = await this.#client.call('plugin.load', { path: this.#folder, remember: false });
      this.#id = plugin.id;
      this.#loadedHere = true;
      return 'loaded';
    } catch (thrown) {
      if (
        !(thrown instanceof HostError) ||
        thrown.code !== 'plugin_already_loaded' ||
        thrown.details['path'] !== this.#folder
      )
        throw thrown;
      this.#id = String(thrown.details['plugin']);
      await this.#reload(this.#id);
      return 'reloaded';
    }
  }

  async #reload(plugin: string): Promise<void> {
    for (const untilMs = performance.now() + betweenStatesMs; ; await sleep(againMs)) {
      try {
        await this.#client.call('plugin.reload', { plugin });
        return;
      } catch (thrown) {
        const busy = thrown instanceof HostError && thrown.code === 'service_unavailable';
        if (!busy || performance.now() > untilMs) throw thrown;
      }
    }
  }

  async #runs(): Promise<{ plugin: PluginSummary; incarnation: number }> {
    const id = this.#id ?? '';
    const { plugin } = await this.#client.call('plugin.show', { plugin: id });
    if (!plugin.hasService || plugin.state === 'disabled') return { plugin, incarnation: 0 };
    const { lifecycle, incarnation } = await this.#client.call('service.start', { plugin: id });
    return { plugin: { ...plugin, lifecycle }, incarnation };
  }

  async #goesOn(): Promise<boolean> {
    if (this.#id === undefined) return false;
    const { plugin } = await this.#client.call('plugin.show', { plugin: this.#id });
    return plugin.lifecycle === 'running';
  }
}
