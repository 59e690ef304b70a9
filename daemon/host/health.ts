// Whether the daemon does what it is there for, and why not: behind /readyz and `nagaya health`. That it answers at all
// is its liveness.
import type { Health, HealthReason } from '../../protocol/health.ts';
import type { SourceStatus } from '../../protocol/operations/source.ts';
import type { StoreHealth } from '../store/store.ts';
import type { HostedPlugin } from './hosted-plugin.ts';
import type { LeftOut } from './start-failures.ts';
import { storeWorks } from './metrics.ts';

export interface HealthParts {
  readonly started: boolean;
  readonly shuttingDown: boolean;
  readonly store: Pick<StoreHealth, 'state' | 'fault'>;
  readonly threadPoolFull: boolean;
  readonly plugins: readonly HostedPlugin[];
  readonly sources: readonly SourceStatus[];
  readonly leftOut: readonly LeftOut[];
  readonly nowMs: number;
}

/** A connection may be lost and made again; what takes longer is told. */
const deafAfterMs = 15_000;

export function health(parts: HealthParts): Health {
  const reasons = [...ofDaemon(parts), ...ofServices(parts), ...ofSources(parts)];
  for (const { plugin, message } of parts.leftOut) reasons.push({ code: 'left_out', plugin, message });
  return { live: true, ready: reasons.length === 0, reasons };
}

function ofDaemon({ started, shuttingDown, store, threadPoolFull }: HealthParts): HealthReason[] {
  const reasons: HealthReason[] = [];
  if (shuttingDown) reasons.push({ code: 'shutting_down', message: 'The daemon is shutting down.' });
  else if (!started) reasons.push({ code: 'starting', message: 'Services that start with the daemon are not up yet.' });
  if (!storeWorks(store))
    reasons.push({
      code: 'store_unusable',
      message: `The store takes nothing new (${store.fault?.reason ?? store.state}): what must be kept is refused. See \`nagaya store status\`.`,
    });
  if (threadPoolFull)
    reasons.push({
      code: 'thread_pool_full',
      message: "libuv's pool of threads is full: file access of the whole daemon waits. See `nagaya status`.",
    });
  return reasons;
}

const ofServices = ({ plugins }: HealthParts): HealthReason[] =>
  plugins.flatMap(({ id, service }) =>
    service?.isGivenUp === true
      ? [
          {
            code: 'service_failed',
            plugin: id,
            message: `The service of ${id} was given up. See \`nagaya explain ${id}\`.`,
          },
        ]
      : [],
  );

/** Deaf: no event can come from it, and nobody has told it to pause. */
const ofSources = ({ sources, plugins, nowMs }: HealthParts): HealthReason[] =>
  sources.flatMap(({ plugin, name, state, deafSince, lastError }) => {
    const isMeant = plugins.some(({ id, service }) => id === plugin && service?.acceptsEvents === true);
    if (deafSince === null || !isMeant) return [];
    if (state !== 'faulty' && nowMs - Date.parse(deafSince) < deafAfterMs) return [];
    const why = lastError === null ? '' : ` (${lastError.code})`;
    return [
      {
        code: 'source_deaf',
        plugin,
        message: `No event can come from the source ${name} of ${plugin}, which is ${state}${why}. See \`nagaya sources list ${plugin}\`.`,
      },
    ];
  });
