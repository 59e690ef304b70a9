// Starting a service of which one instance lives in the cluster: this member takes it where nobody has it.
import { HostError } from '../../protocol/errors.ts';
import type { ClusterService } from '../cluster/cluster-service.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import type { Clock } from '../time/clock.ts';

/**
 * Resolves when it runs here or another member has it; rejects with what its start ended in, or where nobody has it
 * within the time.
 */
export async function startPlaced(placed: ClusterService, clock: Clock, withinMs: number): Promise<void> {
  const started = placed.fence === undefined ? placed.started() : Promise.resolve();
  placed.want();
  const endMs = clock.monotonicMs() + withinMs;
  for (;;) {
    const { member, waits } = placed.status();
    if (waits !== null && member !== null) return void started.catch(() => undefined);
    const outcome = await Promise.race([started.then(() => 'started' as const), pause(clock)]);
    if (outcome === 'started') return;
    if (clock.monotonicMs() >= endMs) {
      void started.catch(() => undefined);
      throw new HostError(
        'cluster_unavailable',
        `The service of ${placed.plugin} waits: ${waits ?? 'its start goes on'}.`,
        { plugin: placed.plugin },
      );
    }
  }
}

/** What acts on an instance is for the member that has it. */
export function requireInstance(placed: ClusterService | undefined): void {
  if (placed === undefined || placed.fence !== undefined) return;
  const { waits, member } = placed.status();
  throw new HostError('service_unavailable', `The service of ${placed.plugin} does not run here: ${waits ?? ''}.`, {
    plugin: placed.plugin,
    member,
  });
}

/** Where its events wait is decided when it is loaded. */
export function requireSamePlacement(before: LoadedPlugin, after: LoadedPlugin): void {
  const [was, is] = [before, after].map(({ manifest }) => manifest.service?.placement);
  if (was === is || was === undefined || is === undefined) return;
  throw new HostError(
    'plugin_invalid',
    `service.placement was ${was} and is ${is} now: unload ${before.id} and load it again.`,
    { path: after.folder, issues: [{ path: 'service.placement', message: `changed from ${was}` }] },
  );
}

const lookAgainMs = 50;
const pause = (clock: Clock): Promise<'waiting'> =>
  new Promise((resolve) => clock.after(lookAgainMs, () => resolve('waiting')));
