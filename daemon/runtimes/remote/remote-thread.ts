// The thread of remote daemons as the host holds it. It is this program's own code, but it may die or stall, because
// the network speaks to it.
import type { FromRemote, RemoteData, ToRemote } from '../../../protocol/remote/messages.ts';
import { spawnHostThread } from '../../isolates/host-thread.ts';
import type { SupervisedThread, ThreadListener } from '../../isolates/thread-supervisor.ts';

export type SpawnRemote = (data: RemoteData, listener: ThreadListener<FromRemote>) => SupervisedThread<ToRemote>;

export const spawnRemote: SpawnRemote = (data, listener) =>
  spawnHostThread({ entry: 'remote-thread', name: 'remote', heapMb: 256, data }, listener);
