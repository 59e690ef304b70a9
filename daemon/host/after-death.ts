// What a daemon does because the one before it died: plugins that took it down come back in processes, and each
// plugin's timeline and log say what was lost. Without a guardian, and before the first death, there is nothing to do.
import type { Death } from '../../protocol/operations/daemon.ts';
import { plural } from '../../protocol/plural.ts';
import { lossAccount } from '../files/loss-account.ts';
import type { Guarding } from '../guardian/link.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import type { Guilt } from '../services/durable/queue-recovery.ts';
import type { HostedPlugin } from './hosted-plugin.ts';

export class AfterDeath {
  readonly #guarding: Guarding | undefined;
  readonly #log: Logger;
  /** Why, by the plugin's id. */
  readonly #escalated: Map<string, string>;
  readonly #death: Death | undefined;

  constructor(guarding: Guarding | undefined, log: Logger) {
    this.#guarding = guarding;
    this.#log = log;
    this.#escalated = new Map(guarding?.escalated.map(({ plugin, why }) => [plugin, why]));
    this.#death = guarding?.deaths.at(-1);
    if (this.#death === undefined) return;
    const { signal, exitCode, culprit, suspects, message, lost } = this.#death;
    log.error(
      { signal, exitCode, culprit, suspects, cause: message, lost },
      `the daemon before this one died; ${lostText(lost)}`,
    );
  }

  /** Whether it took the daemon before this one down. */
  readonly guiltOf = (id: string): Guilt => {
    if (this.#death === undefined) return 'unknown';
    return this.#death.culprit === id ? 'proven' : 'none';
  };

  /** The plugin as it is to be run: all of it in processes, where it took a daemon down and does not forbid that. */
  runnable(plugin: LoadedPlugin): LoadedPlugin {
    const { manifest } = plugin;
    if (!this.#escalated.has(plugin.id) || manifest.limits.escalate === 'never') return plugin;
    return {
      ...plugin,
      manifest: {
        ...manifest,
        isolation: 'process',
        tools: manifest.tools.map((tool) => ({ ...tool, isolation: 'process' as const })),
      },
    };
  }

  /** The plugin's own account of it. */
  tell(hosted: HostedPlugin): void {
    const why = this.#escalated.get(hosted.id);
    if (why !== undefined) {
      const forbidden = hosted.plugin.manifest.limits.escalate === 'never';
      hosted.tell(
        'escalated',
        forbidden
          ? `not escalated, because limits.escalate is "never": ${why}`
          : `escalated: ${why}; the plugin runs in processes until it is reloaded`,
      );
      this.#log.warn(
        { plugin: hosted.id, why },
        forbidden
          ? 'a plugin took the daemon down, and limits.escalate keeps it in threads'
          : 'a plugin took the daemon down and runs in processes now',
      );
    }
    const lost = this.#death?.lost.byPlugin.find(({ plugin }) => plugin === hosted.id);
    if (lost !== undefined) hosted.tell('lost', `The daemon died: ${lostText({ ...lost, plugins: 0 })}.`);
  }

  /** So many plugins would be lost with this daemon. */
  countLoaded(count: number): void {
    lossAccount.loadedAtRunTime(count);
  }

  /** It is read again: what was decided about it is void. */
  forget(id: string): void {
    if (this.#escalated.delete(id) || this.#death?.suspects.includes(id) === true)
      this.#guarding?.link.send({ type: 'forget', plugin: id });
  }
}

export function lostText({
  events,
  begun,
  calls,
  inputs,
  plugins,
}: Pick<Death['lost'], 'events' | 'begun' | 'calls' | 'inputs' | 'plugins'>): string {
  const parts = [
    plural(events, 'event') +
      (begun > 0 ? ` (${String(begun)} of them given to a cell, which may have handled them)` : ''),
    plural(calls, 'call'),
    plural(inputs, 'input'),
    ...(plugins > 0 ? [`${plural(plugins, 'plugin')} loaded at run time`] : []),
  ];
  return `lost from memory: ${parts.join(', ')}`;
}
