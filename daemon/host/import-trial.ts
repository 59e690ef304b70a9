// Imports a plugin once, in a cell that then ends: a plugin without a service would otherwise be loaded with success
// although none of its tools or profiles can run.
import { pathToFileURL } from 'node:url';
import { HostError } from '../../protocol/errors.ts';
import { type Isolation, serviceSection } from '../../protocol/manifest.ts';
import { incarnationOptions } from '../dispatch/incarnation-options.ts';
import { Incarnation } from '../dispatch/incarnation.ts';
import { IngressQueue } from '../dispatch/ingress-queue.ts';
import { Pacer } from '../dispatch/pacer.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import type { ProgramHome } from '../runtimes/programs/program-offer.ts';
import type { Clock } from '../time/clock.ts';

export interface TrialDeps {
  readonly home: Pick<ProgramHome, 'spawnCell' | 'redact' | 'log' | 'logDropped'>;
  readonly clock: Clock;
  /** A cell that could not be ended was left behind (1), or one of those has ended after all (-1). */
  leftBehind(change: 1 | -1): void;
  /** The import is not over within the deadline of a start: the plugin may still be one that takes longer. */
  slow(error: HostError): void;
}

/** Nothing is ever queued for it. */
const noQueue = { capacity: 1, maxBytes: 1 };

/**
 * Rejects with `start_failed` if the plugin has tools or profiles and cannot be imported. A service is imported by its
 * own start.
 */
export async function tryImport(
  plugin: LoadedPlugin,
  env: Readonly<Record<string, string>>,
  { home, clock, leftBehind, slow }: TrialDeps,
): Promise<void> {
  const { manifest, enabled } = plugin;
  if (!enabled || manifest.service !== undefined || manifest.tools.length + manifest.profiles.length === 0) return;
  const section = serviceSection.parse({ ingresses: [{ name: 'none', kinds: ['none'] }] });
  const made = incarnationOptions({ plugin, section, env, entryUrl: pathToFileURL(plugin.entry).href }, 0, {
    toolOutputBytes: 0,
    stateBytes: 0,
  });
  const options = {
    ...made,
    subject: 'plugin',
    spec: { ...made.spec, isolation: isolationOf(plugin) },
    cell: { ...made.cell, importOnly: true },
  };
  const nothing = (): void => undefined;
  const trial = Incarnation.spawn(options, {
    spawnCell: home.spawnCell,
    queue: new IngressQueue(noQueue),
    pacer: new Pacer(),
    clock,
    redact: home.redact,
    listener: {
      handled: nothing,
      failed: nothing,
      overran: nothing,
      stalled: nothing,
      ended: nothing,
      log: (message) => home.log(message, 0),
      logDropped: (message) => home.logDropped(message, 0),
      unkillable: () => leftBehind(1),
      leftBehindEnded: () => leftBehind(-1),
    },
  });
  try {
    await trial.start();
    trial.end();
  } catch (thrown) {
    trial.kill('the plugin could not be imported');
    if (!(thrown instanceof HostError) || thrown.code !== 'start_timeout') throw thrown;
    slow(thrown);
  }
}

/** A plugin whose tools all run in processes may import what a thread denies. */
function isolationOf({ manifest: { isolation, profiles, tools } }: LoadedPlugin): Isolation {
  if (profiles.length > 0 || tools.length === 0) return isolation;
  return tools.every((tool) => tool.isolation === 'process') ? 'process' : 'thread';
}
