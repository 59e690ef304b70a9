// Whether the daemon does what it is there for, and why not: behind /readyz and `nagaya health`. That it answers at all
// is its liveness.
import type { Health, HealthReason } from '../../protocol/health.ts';
import type { StoreHealth } from '../store/store.ts';
import type { HostedPlugin } from './hosted-plugin.ts';
import { storeWorks } from './metrics.ts';

export interface HealthParts {
  readonly started: boolean;
  readonly shuttingDown: boolean;
  readonly store: Pick<StoreHealth, 'state' | 'fault'>;
  readonly threadPoolFull: boolean;
  readonly plugins: readonly HostedPlugin[];
  /** Of parts that know more, such as sources that are deaf. */
  readonly more?: readonly HealthReason[];
}

export function health(parts: HealthParts): Health {
  const { started, shuttingDown, store, threadPoolFull, plugins, more = [] } = parts;
  const reasons: HealthReason[] = [];
  if (shuttingDown) reasons.push({ code: 'shutting_down', message: 'The daemon is shutting down.' });
  else if (!started) reasons.push({ code: 'starting', message: 'Services that start with the daemon are not up yet.' });
  if (!storeWorks(store))
    reasons.push({
      code: 'store_unusable',
      message: `The store is ${store.state}: what must be kept is refused. See \`nagaya store status\`.`,
    });
  if (threadPoolFull)
    reasons.push({
      code: 'thread_pool_full',
      message: "libuv's pool of threads is full: file access of the whole daemon waits. See `nagaya status`.",
    });
  for (const { id, service } of plugins) {
    if (service?.lifecycle === 'failed')
      reasons.push({
        code: 'service_failed',
        plugin: id,
        message: `The service of ${id} was given up. See \`nagaya explain ${id}\`.`,
      });
  }
  reasons.push(...more);
  return { live: true, ready: reasons.length === 0, reasons };
}
