// The edge's thread as the host holds it: sources and outputs run there, because the network speaks to them.
import type { EdgeData, FromEdge, ToEdge } from '../../protocol/edge/messages.ts';
import { spawnHostThread } from '../isolates/host-thread.ts';
import type { SupervisedThread, ThreadListener } from '../isolates/thread-supervisor.ts';

export type EdgeThread = SupervisedThread<ToEdge>;
export type EdgeThreadListener = ThreadListener<FromEdge>;
export type SpawnEdge = (data: EdgeData, listener: EdgeThreadListener) => EdgeThread;

export const spawnEdge: SpawnEdge = (data, listener) =>
  spawnHostThread({ entry: 'edge-thread', name: 'edge', heapMb: 256, data }, listener);
