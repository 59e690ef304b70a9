// Keeps the edge's thread alive, as every thread that the network speaks to is kept alive.
import type { EdgeData, FromEdge, ToEdge } from '../../protocol/edge/messages.ts';
import { ThreadSupervisor, type ThreadSupervisorOptions } from '../isolates/thread-supervisor.ts';
import { type SpawnEdge, spawnEdge } from './edge-thread.ts';

export interface SupervisorOptions extends Pick<
  ThreadSupervisorOptions<ToEdge, FromEdge>,
  'stalledMs' | 'clock' | 'began' | 'message' | 'lost'
> {
  readonly data: EdgeData;
  readonly spawn?: SpawnEdge;
}

export class EdgeSupervisor extends ThreadSupervisor<ToEdge, FromEdge> {
  constructor({ data, spawn = spawnEdge, ...options }: SupervisorOptions) {
    super({
      ...options,
      spawn: (listener) => spawn(data, listener),
      last: { type: 'close' },
      look: (id) => ({ type: 'look', id }),
      answers: (message) => (message.type === 'reports' ? message.look : undefined),
    });
  }
}
