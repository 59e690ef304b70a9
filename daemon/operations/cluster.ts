// What the operations on the cluster do.
import { HostError } from '../../protocol/errors.ts';
import type { clusterOperations } from '../../protocol/operations/cluster.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Handlers } from './caller.ts';

export function clusterHandlers(cluster: Cluster | undefined): Pick<Handlers, keyof typeof clusterOperations> {
  const required = (): Cluster => {
    if (cluster !== undefined) return cluster;
    throw new HostError(
      'unsupported_operation',
      'This daemon is no member of a cluster: set `cluster` in its configuration and restart it.',
      { instead: 'the configuration of this daemon' },
    );
  };
  return {
    'cluster.status': () => required().status(),
    'cluster.drain': ({ member, undo }) => required().drain(member, undo),
  };
}
