// What daemon.status tells, gathered from those who know it.
import type { DaemonStatus } from '../../protocol/operations/daemon.ts';
import type { BrowserServer } from '../control/browser/browser-server.ts';
import type { ControlServer } from '../control/socket/control-server.ts';
import type { HalfLines } from '../control/half-lines.ts';
import type { DaemonOptions } from './daemon-options.ts';
import type { Host } from './host.ts';
import type { DaemonLog } from '../telemetry/daemon-log.ts';
import type { McpGateway } from '../mcp/mcp-gateway.ts';
import { memory } from '../telemetry/event-loop.ts';
import type { Feed } from '../telemetry/feed.ts';
import { awakeTime } from '../time/awake-time.ts';
import type { HostWatches } from './host-watches.ts';

export interface DaemonStatusParts {
  readonly options: Pick<DaemonOptions, 'config' | 'configPath' | 'socket' | 'stateFolder' | 'guarding' | 'notice'>;
  readonly version: string;
  readonly startedMs: number;
  readonly host: Host;
  readonly control: ControlServer;
  readonly browser: BrowserServer | undefined;
  readonly mcp: Pick<McpGateway, 'counts'>;
  readonly halfLines: HalfLines;
  readonly feed: Feed;
  readonly daemonLog: DaemonLog;
  readonly watches: HostWatches;
  readonly faults: number;
  readonly shuttingDown: boolean;
}

export function daemonStatus({
  options,
  version,
  startedMs,
  host,
  control,
  browser,
  mcp,
  halfLines,
  feed,
  daemonLog,
  watches,
  faults,
  shuttingDown,
}: DaemonStatusParts): DaemonStatus {
  const { connections, connectionsRefused, connectionsCutOff, notificationsFailed } = control.counts();
  return {
    pid: process.pid,
    version,
    node: process.versions.node,
    state: shuttingDown ? 'shutting_down' : 'running',
    startedAt: new Date(startedMs).toISOString(),
    uptimeMs: Math.max(0, Date.now() - startedMs),
    socket: options.socket,
    config: options.configPath,
    stateFolder: options.stateFolder,
    counts: { ...host.counts(), connections, halfLineBytes: halfLines.bytes, subscriptions: feed.subscriptions },
    dropped: {
      connectionsRefused,
      connectionsCutOff,
      notificationsFailed,
      subscriptionEvents: feed.dropped,
      logLines: daemonLog.dropped + host.droppedLogLines,
    },
    standstills: { count: awakeTime.count, totalMs: Math.round(awakeTime.stoodMs) },
    notes: [...(options.notice === undefined ? [] : [options.notice]), ...host.notes()],
    faults,
    eventLoopDelayMs: watches.eventLoop.delay(),
    memory: memory(),
    descriptors: watches.process.descriptors(),
    threadPool: watches.pool.status(),
    limits: { ...options.config.limits },
    browser: browser?.status() ?? null,
    mcp: mcp.counts(),
    guardian:
      options.guarding === undefined
        ? null
        : { pid: options.guarding.link.guardianPid, deaths: [...options.guarding.deaths] },
  };
}
