// The daemon put together: host, control socket and telemetry started in the order that loses nothing, and ended in
// the reverse of it within a hard deadline.
import { readFileSync } from 'node:fs';
import type { OperationResult } from '../protocol/operations.ts';
import type { InvalidPlugin } from './plugins/invalid-plugin.ts';
import type { Config } from './config/schema.ts';
import { prepareStateFolder } from './config/state-folder.ts';
import { ControlServer } from './control/control-server.ts';
import { daemonFeedName, handlers } from './handlers.ts';
import { Host } from './host.ts';
import { realClock } from './real-clock.ts';
import { Shutdown } from './shutdown.ts';
import { createDaemonLog } from './telemetry/daemon-log.ts';
import { EventLoopMonitor, memory } from './telemetry/event-loop.ts';
import { Feed } from './telemetry/feed.ts';

export interface DaemonOptions {
  readonly config: Config;
  readonly configPath: string | null;
  readonly socket: string;
  readonly stateFolder: string;
  readonly pluginFolders: readonly string[];
  readonly logLevel: Config['log']['level'];
  /** Log lines for a person instead of NDJSON. */
  readonly pretty: boolean;
}

export interface Daemon {
  readonly socket: string;
  readonly pid: number;
  readonly plugins: readonly OperationResult<'plugin.list'>['plugins'][number][];
  readonly invalid: readonly InvalidPlugin[];
  /** Graceful, and the same however often it is asked for. */
  shutdown(reason: string): Promise<void>;
  /** Settles when everything has ended, with the exit code. */
  readonly ended: Promise<number>;
  /** Ends the process, also where a thread in native code would keep it. */
  exit(code: number): never;
}

export const version = (JSON.parse(readFileSync(new URL(import.meta.url.endsWith('.ts') ? '../package.json' : '../../package.json', import.meta.url), 'utf8')) as { version: string }).version;

export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { config } = options;
  const { limits } = config;
  const startedMs = Date.now();
  await prepareStateFolder(options.stateFolder);
  const feed = new Feed();
  const daemonLog = createDaemonLog({
    level: options.logLevel,
    pretty: options.pretty,
    limits,
    onLine: (line) => {
      if (feed.wants('log')) feed.publish({ topic: 'log', at: line.time, plugin: daemonFeedName, data: line });
    },
  });
  const log = daemonLog.logger;
  const host = new Host({ config, stateFolder: options.stateFolder, clock: realClock, feed, log, env: process.env });
  const monitor = new EventLoopMonitor();
  let faults = 0;

  const status = (): OperationResult<'daemon.status'> => ({
    pid: process.pid,
    version,
    node: process.versions.node,
    state: shutdown.begun ? 'shutting_down' : 'running',
    startedAt: new Date(startedMs).toISOString(),
    uptimeMs: Date.now() - startedMs,
    socket: options.socket,
    config: options.configPath,
    stateFolder: options.stateFolder,
    counts: { ...host.counts(), connections: control.counts().connections, subscriptions: feed.subscriptions },
    dropped: {
      connectionsRefused: control.counts().connectionsRefused,
      connectionsCutOff: control.counts().connectionsCutOff,
      notificationsFailed: control.counts().notificationsFailed,
      subscriptionEvents: feed.dropped,
      logLines: daemonLog.dropped,
    },
    faults,
    eventLoopDelayMs: monitor.delay(),
    memory: memory(),
    limits: { ...limits },
  });

  const shutdown: Shutdown = new Shutdown({
    limits,
    log,
    async stop(withinMs) {
      clearInterval(counters);
      await host.shutdown(withinMs);
      await control.close(controlCloseMs);
      monitor.stop();
      await daemonLog.flush(logFlushMs);
    },
    release: () => control.release(),
    unkillable: () => host.counts().unkillable,
  });
  const control = new ControlServer({
    handlers: handlers({ host, daemonLog, status, shutdown: (reason) => shutdown.begin(reason) }),
    limits,
    feed,
    log,
    shuttingDown: () => shutdown.begun,
    version,
  });

  const lastCounters = new Map<string, string>();
  const counters = setInterval(() => host.publishCounters(lastCounters), limits.countersEveryMs);
  counters.unref();
  // A fault of the host itself is told and counted, and what it hosts goes on.
  const onFault = (thrown: unknown): void => {
    faults += 1;
    log.error({ fault: thrown instanceof Error ? thrown.stack : String(thrown) }, 'the daemon met an error it did not foresee');
  };
  process.on('uncaughtException', onFault);
  process.on('unhandledRejection', onFault);

  try {
    await control.listen(options.socket, () => host.loadAll([...config.plugins.folders, ...options.pluginFolders]));
  } catch (thrown) {
    clearInterval(counters);
    monitor.stop();
    process.off('uncaughtException', onFault);
    process.off('unhandledRejection', onFault);
    throw thrown;
  }
  shutdown.onSignals();
  log.info({ socket: options.socket, pid: process.pid, plugins: host.catalog.size }, 'listening');
  await host.autostart();
  return {
    socket: options.socket,
    pid: process.pid,
    plugins: host.list().map((hosted) => hosted.summary()),
    invalid: host.catalog.invalid,
    shutdown: (reason) => {
      shutdown.begin(reason);
      return shutdown.ended.then(() => undefined);
    },
    ended: shutdown.ended,
    exit: (code) => shutdown.exit(code),
  };
}

/** What answers still pending get to leave. */
const controlCloseMs = 1000;
const logFlushMs = 500;
