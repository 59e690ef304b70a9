// What the operations on the daemon itself do.
import type { ConfigReload } from '../../protocol/operations/config.ts';
import type { daemonOperations } from '../../protocol/operations/daemon.ts';
import type { DaemonStatus } from '../../protocol/operations/daemon.ts';
import type { Health } from '../../protocol/health.ts';
import type { KeptEvents } from '../services/stop-order.ts';
import type { Handlers } from './caller.ts';

export interface DaemonHandlerDeps {
  readonly shutdownMs: number;
  status(): DaemonStatus;
  health(): Health;
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
  /** Throws `config_invalid`; then nothing has changed. */
  reloadConfig(): Promise<ConfigReload>;
  /** Begins the shutdown and returns at once. */
  shutdown(reason: string): void;
  /** Resolves when a shutdown has stopped the services, with what became of their events. */
  readonly servicesStopped: Promise<KeptEvents>;
}

export function daemonHandlers({
  shutdownMs,
  status,
  health,
  shutdown,
  servicesStopped,
}: DaemonHandlerDeps): Pick<Handlers, keyof typeof daemonOperations> {
  return {
    'daemon.status': () => status(),
    'daemon.health': () => health(),
    'daemon.ping': () => ({ pong: true, at: new Date().toISOString() }),
    'daemon.shutdown': async ({ wait }) => {
      shutdown('daemon.shutdown was called');
      const begun = { shuttingDown: true, pid: process.pid, withinMs: shutdownMs } as const;
      return wait ? { ...begun, ...(await servicesStopped) } : begun;
    },
  };
}
