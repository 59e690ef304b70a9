// What the operations on the daemon itself do.
import type { daemonOperations } from '../../protocol/operations/daemon.ts';
import type { DaemonStatus } from '../../protocol/operations/daemon.ts';
import type { Handlers } from './caller.ts';

export interface DaemonHandlerDeps {
  readonly shutdownMs: number;
  status(): DaemonStatus;
  /** Begins the shutdown and returns at once. */
  shutdown(reason: string): void;
}

export function daemonHandlers({ shutdownMs, status, shutdown }: DaemonHandlerDeps): Pick<Handlers, keyof typeof daemonOperations> {
  return {
    'daemon.status': () => status(),
    'daemon.ping': () => ({ pong: true, at: new Date().toISOString() }),
    'daemon.shutdown': () => {
      shutdown('daemon.shutdown was called');
      return { shuttingDown: true, pid: process.pid, withinMs: shutdownMs };
    },
  };
}
