// The cluster's thread as the host holds it: the NATS client runs there, because the network speaks to it.
import type { ClusterData, FromCluster, ToCluster } from '../../protocol/cluster/messages.ts';
import { spawnHostThread } from '../isolates/host-thread.ts';
import type { SupervisedThread, ThreadListener } from '../isolates/thread-supervisor.ts';

export type SpawnCluster = (data: ClusterData, listener: ThreadListener<FromCluster>) => SupervisedThread<ToCluster>;

export const spawnCluster: SpawnCluster = (data, listener) =>
  spawnHostThread({ entry: 'cluster-thread', name: 'cluster', heapMb: 512, data }, listener);
