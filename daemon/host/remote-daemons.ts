// Runtimes of daemons outside the cluster in this daemon's registry. Without `runtimes` in the configuration nothing of
// them is loaded. What asks them begins when the daemon listens.
import type { Config } from '../config/schema.ts';
import type { Registry } from '../runtimes/registry.ts';
import type { RemoteDaemons } from '../runtimes/remote/remote-daemons.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import { realClock } from '../time/real-clock.ts';

export async function showRemoteDaemons(
  { runtimes, limits }: Pick<Config, 'runtimes' | 'limits'>,
  registry: Registry,
  log: Pick<Logger, 'warn'>,
): Promise<RemoteDaemons | undefined> {
  if (runtimes.length === 0) return undefined;
  const { RemoteDaemons } = await import('../runtimes/remote/remote-daemons.ts');
  const daemons = new RemoteDaemons({ daemons: runtimes, limits, clock: realClock, log });
  for (const runtime of daemons.runtimes) registry.add(runtime);
  return daemons;
}
