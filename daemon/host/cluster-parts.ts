// What the daemon has for its cluster, put together. Without `cluster` in the configuration nothing of it is loaded.
import type { MemberService } from '../../protocol/cluster/messages.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ClusterService } from '../cluster/cluster-service.ts';
import type { Feed } from '../telemetry/feed.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import { realClock } from '../time/real-clock.ts';
import type { DaemonOptions } from './daemon-options.ts';
import type { Host } from './host.ts';
import type { RemoteRuntimes } from './remote-runtimes.ts';

interface Surroundings {
  readonly host: Host;
  readonly version: string;
  readonly feed: Feed;
  readonly log: Logger;
}

export async function joinCluster(
  { config, stateFolder }: Pick<DaemonOptions, 'config' | 'stateFolder'>,
  { host, version, feed, log }: Surroundings,
): Promise<Cluster | undefined> {
  if (config.cluster === undefined) return undefined;
  const [{ openCluster }, { memberOf }] = await Promise.all([
    import('../cluster/cluster.ts'),
    import('../config/cluster.ts'),
  ]);
  const { RemoteRuntimes } = await import('./remote-runtimes.ts');
  const remote: RemoteRuntimes = new RemoteRuntimes(host.registry, realClock, (request) => cluster.askValue(request));
  const cluster: Cluster = await openCluster({
    config: config.cluster,
    // The configuration was refused where there is no name.
    member: memberOf(config.cluster) ?? '',
    version,
    stateFolder,
    limits: config.limits,
    clock: realClock,
    feed,
    log,
    placed: { service: (id) => host.get(id).requireService(), start: (id) => host.startHere(id) },
    services: () =>
      host
        .list()
        .flatMap(({ id, service, plugin }): MemberService[] =>
          service === undefined
            ? []
            : [
                {
                  plugin: id,
                  placement: plugin.manifest.service?.placement ?? 'here',
                  lifecycle: service.lifecycle,
                  fence: host.placed(id)?.fence ?? null,
                  ...partitionsOf(host.placed(id)),
                },
              ],
        ),
    runtimes: () =>
      host.registry.own().map(({ runtimeId, displayName, capabilities }) => ({ runtimeId, displayName, capabilities })),
    membersChanged: (others) => remote.show(others),
    tools: () => host.list().flatMap(({ id, toolList }) => (toolList.length === 0 ? [] : [id])),
  });
  return cluster;
}

const partitionsOf = (placed: ClusterService | undefined): Pick<MemberService, 'partitions'> =>
  placed?.partitions === undefined ? {} : { partitions: placed.partitions };
