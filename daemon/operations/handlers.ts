// Every operation with what it does: the one place where the table's names meet the host. Nothing here knows of a wire.
import { acrossMembers } from './across-members.ts';
import { acrossPartitions } from './across-partitions.ts';
import type { Handlers } from './caller.ts';
import type { AuditLog } from './audit.ts';
import { type BrowserLinks, browserHandlers } from './browser.ts';
import { clusterHandlers } from './cluster.ts';
import { configHandlers } from './config.ts';
import { type DaemonHandlerDeps, daemonHandlers } from './daemon.ts';
import { deadLetterHandlers } from './dead-letter.ts';
import { type McpHandlerDeps, mcpHandlers } from './mcp.ts';
import { outputHandlers } from './output.ts';
import { pluginHandlers } from './plugin.ts';
import { runtimeHandlers } from './runtime.ts';
import { serviceHandlers } from './service.ts';
import { sourceHandlers } from './source.ts';
import { storeHandlers } from './store.ts';
import { telemetryHandlers } from './telemetry.ts';
import { toolHandlers } from './tool.ts';
import { usageHandlers } from './usage.ts';
import { workerHandlers } from './worker.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Host } from '../host/host.ts';
import type { Store } from '../store/store.ts';
import type { DaemonLog } from '../telemetry/daemon-log.ts';

export interface HandlerParts {
  readonly daemonLog: Pick<DaemonLog, 'recent'>;
  readonly daemon: DaemonHandlerDeps;
  readonly browser: () => BrowserLinks | undefined;
  readonly store: Store;
  readonly mcp: McpHandlerDeps;
  readonly audit: AuditLog;
  /** Undefined where the daemon is no member of a cluster. */
  readonly cluster?: Cluster | undefined;
}

export function handlers(
  host: Host,
  { daemonLog, daemon, browser, store, mcp, audit, cluster }: HandlerParts,
): Handlers {
  const own: Handlers = {
    ...daemonHandlers(daemon),
    ...configHandlers(daemon.reloadConfig),
    ...pluginHandlers(host),
    ...serviceHandlers(host),
    ...deadLetterHandlers(host),
    ...sourceHandlers(host),
    ...outputHandlers(host),
    ...toolHandlers(host),
    ...telemetryHandlers(host, daemonLog),
    ...runtimeHandlers(host.registry),
    ...usageHandlers(host),
    ...workerHandlers(host.registry),
    ...storeHandlers(store, host.config.limits.storeBytes),
    ...browserHandlers(browser),
    ...mcpHandlers(mcp),
    ...clusterHandlers(cluster),
    ...audit.handlers(),
  };
  if (cluster === undefined) return audit.watching(own);
  const { limits } = host.config;
  return audit.watching(acrossPartitions({ cluster, limits, own, across: acrossMembers(host, cluster, own) }));
}
