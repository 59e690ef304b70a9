// Stops services side by side, because none depends on another, and ends those that do not stop in time.
import type { KeptEvents, StopOptions } from '../services/stop-order.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import type { Clock } from '../time/clock.ts';
import type { HostedPlugin } from './hosted-plugin.ts';

interface InTime {
  readonly withinMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Begins in this order. A service that has not stopped by `withinMs` is ended by the kill ladder. */
export function stopInTime(
  services: readonly HostedPlugin[],
  stop: (hosted: HostedPlugin, options: Partial<StopOptions>) => Promise<KeptEvents>,
  { withinMs, clock, log }: InTime,
): { readonly all: Promise<KeptEvents>; readonly orLate: Promise<unknown> } {
  const all = Promise.all(services.map((hosted) => stop(hosted, { withinMs }))).then((each) => ({
    kept: each.reduce((sum, { kept }) => sum + kept, 0),
    discarded: each.reduce((sum, { discarded }) => sum + discarded, 0),
  }));
  const late = new Promise<void>((resolve) => {
    const timer = clock.after(withinMs, () => {
      log.warn({}, 'services did not stop in time; what is left is discarded');
      for (const { service } of services) service?.end();
      resolve();
    });
    void all.then(() => timer.cancel());
  });
  return { all, orLate: Promise.race([all, late]) };
}
