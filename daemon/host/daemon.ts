// The daemon put together: host, control socket and telemetry started in the order that loses nothing, and ended in
// the reverse of it within a hard deadline.
import { readFileSync } from 'node:fs';
import { HostError, asHostError } from '../../protocol/errors.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import type { InvalidPlugin } from '../plugins/invalid-plugin.ts';
import { EnvFile } from '../config/env-file.ts';
import { sweepOrphans } from '../cells/process/orphan-sweep.ts';
import { prepareStateFolder } from '../config/state-folder.ts';
import { BrowserServer } from '../control/browser/browser-server.ts';
import { ControlServer } from '../control/socket/control-server.ts';
import { HalfLines } from '../control/half-lines.ts';
import type { DaemonOptions } from './daemon-options.ts';
import { Store } from '../store/store.ts';
import { removeLeftovers } from '../files/atomic-file.ts';
import { type StateLock, lockState } from '../store/state-lock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { memberOperations } from '../control/member-operations.ts';
import { daemonStatus } from './daemon-status.ts';
import { type UnderGuardian, underGuardian } from '../guardian/under-guardian.ts';
import { armFailpoints } from '../files/failpoints.ts';
import { handlers } from '../operations/handlers.ts';
import type { DaemonHandlerDeps } from '../operations/daemon.ts';
import { AuditLog } from '../operations/audit.ts';
import { AuditFile } from './audit-file.ts';
import { health } from './health.ts';
import { Metrics } from './metrics.ts';
import { joinCluster } from './cluster-parts.ts';
import { showRemoteDaemons } from './remote-daemons.ts';
import { McpParts } from './mcp-parts.ts';
import { reloadConfig } from './config-reload.ts';
import { Host } from './host.ts';
import { HostFaults } from './host-faults.ts';
import { realClock } from '../time/real-clock.ts';
import { Shutdown } from './shutdown.ts';
import { type DaemonLog, type Logger, createDaemonLog, daemonFeedName } from '../telemetry/daemon-log.ts';
import { Feed } from '../telemetry/feed.ts';
import { HostWatches } from './host-watches.ts';
import { readDirectly } from '../isolates/entries.ts';

export interface Daemon {
  readonly socket: string;
  /** Where browsers reach it; null where no port is open. */
  readonly browser: string | null;
  readonly pid: number;
  readonly guardianPid: number | null;
  /** How many daemons died under the guardian before this one. */
  readonly deaths: number;
  readonly plugins: readonly OperationResult<'plugin.list'>['plugins'][number][];
  readonly invalid: readonly InvalidPlugin[];
  /** Graceful, and the same however often it is asked for. */
  shutdown(reason: string): Promise<void>;
  /** Settles when everything has ended, with the exit code. */
  readonly ended: Promise<number>;
  /** Ends the process, also where a thread in native code would keep it. */
  exit(code: number): never;
}

export const version = (
  JSON.parse(
    readFileSync(
      new URL(import.meta.url.endsWith('.ts') ? '../../package.json' : '../../../package.json', import.meta.url),
      'utf8',
    ),
  ) as { version: string }
).version;

// eslint-disable-next-line max-lines-per-function -- It builds everything once, in the order of who needs whom.
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const {
    config,
    config: { limits },
  } = options;
  const guardian = underGuardian(options.guarding, options.socket);
  const startedMs = Date.now();
  readDirectly();
  const envFile = new EnvFile(process.env);
  envFile.read(config.plugins.envFile);
  await prepareStateFolder(options.stateFolder);
  const feed = new Feed();
  const daemonLog = publishedLog(options, feed);
  const log = daemonLog.logger;
  if (options.notice !== undefined) log.error({}, options.notice);
  armFailpoints(process.env, log);
  const store = new Store({
    stateFolder: options.stateFolder,
    version,
    limits,
    clock: realClock,
    tell: (level, message) => log[level]({}, message),
  });
  let stateLock: StateLock | undefined;
  // The folder may have been removed with its lock.
  store.onReopened(() => stateLock?.renew());
  const host = new Host({
    config,
    version,
    store,
    stateFolder: options.stateFolder,
    clock: realClock,
    feed,
    log,
    env: process.env,
    controlSocket: options.socket,
    guarding: options.guarding,
    cluster: () => cluster,
    mcp: {
      gateway: () => mcp.gateway,
      toolsChanged: () => mcp.gateway.toolsChanged(),
      passOn: (plugin) => mcp.passesOn(plugin),
    },
  });
  const cluster: Cluster | undefined = await joinCluster(options, { host, version, feed, log });
  const remote = await showRemoteDaemons(config, host.registry, log);
  const watches = new HostWatches(host, limits, log);
  const faults = new HostFaults(log);
  let autostarted = false;

  const shutdown: Shutdown = new Shutdown({
    limits,
    log,
    async stop(withinMs) {
      await host.shutdown(withinMs);
      await Promise.all([control.close(controlCloseMs), browser?.close(controlCloseMs)]);
      await mcp.gateway.close();
      await cluster?.close();
      remote?.close();
      watches.stop();
      await store.close(storeCloseMs);
      await daemonLog.close(logFlushMs);
    },
    release: () => {
      control.release();
      stateLock?.release();
    },
    ending: guardian.ending,
    leftover: () => host.leftover() + store.leftover,
  });
  const daemonParts: DaemonHandlerDeps = {
    shutdownMs: limits.shutdownMs,
    status: () =>
      daemonStatus({
        options,
        version,
        startedMs,
        host,
        control,
        browser,
        mcp: mcp.gateway,
        halfLines,
        feed,
        daemonLog,
        watches,
        faults: faults.count,
        shuttingDown: shutdown.begun,
      }),
    health: () =>
      health({
        started: autostarted,
        shuttingDown: shutdown.begun,
        store: store.health(),
        threadPoolFull: watches.pool.status().fullSince !== null,
        plugins: host.list(),
        sources: host.edge.known(),
        leftOut: host.leftOut(),
        nowMs: Date.now(),
      }),
    metrics: () => metrics.text(),
    reloadConfig: () =>
      reloadConfig({
        config,
        configPath: options.configPath,
        log: { info: (fields, message) => log.info({ ...fields }, message), setLevel: daemonLog.setLevel },
        loaded: (plugin) => host.catalog.has(plugin),
        envFile,
        rereadCredentials: () => {
          remote?.reread();
          return host.edge.reread();
        },
      }),
    shutdown: (reason) => shutdown.begin(reason),
    servicesStopped: host.stopped,
  };
  const metrics = new Metrics(() => ({
    status: daemonParts.status(),
    store: store.health(),
    ready: daemonParts.health().ready,
    plugins: host.list(),
    sources: host.edge.known(),
  }));
  const audit = new AuditLog(limits.auditEntries, new AuditFile(options.stateFolder, log));
  const halfLines = new HalfLines(limits.halfLineBytes);
  const mcp: McpParts = new McpParts(host, options, log, version, () => shutdown.begun);
  const surface = {
    handlers: handlers(host, {
      daemonLog,
      daemon: daemonParts,
      browser: () => browser,
      store,
      audit,
      mcp: mcp.operations(() => browser?.mcpAccess()),
      cluster,
    }),
    limits,
    feed,
    log,
    reports: daemonParts,
    halfLines,
    shuttingDown: () => shutdown.begun,
    version,
    mcp: mcp.gateway,
  };
  const control: ControlServer = new ControlServer(surface);
  const browser: BrowserServer | undefined =
    config.http === undefined
      ? undefined
      : new BrowserServer({
          ...surface,
          config: config.http,
          clock: realClock,
          stateFolder: options.stateFolder,
          ...guardian.browser,
        });

  try {
    await control.listen(guardian.control, async () => {
      stateLock = await lockState(options.stateFolder, (message) => log.warn({}, message));
      removeLeftovers(options.stateFolder);
      await openStore(store, log);
      await browser?.listen();
      await sweepOrphans(options.stateFolder, log);
      await host.loadAll([...config.plugins.folders, ...options.pluginFolders]);
    });
  } catch (thrown) {
    await browser?.close(0);
    watches.stop();
    faults.stop();
    await store.close(storeCloseMs);
    stateLock?.release();
    throw thrown;
  }
  guardian.ready(shutdown, config.guardian.restart, daemonParts.reloadConfig);
  log.info({ socket: options.socket, pid: process.pid, plugins: host.catalog.size }, 'listening');
  remote?.start();
  cluster?.start(memberOperations(surface.handlers, () => shutdown.begun));
  await host.autostart();
  autostarted = true;
  return started(options, host, browser, shutdown, guardian);
}

function started(
  options: DaemonOptions,
  host: Host,
  browser: BrowserServer | undefined,
  shutdown: Shutdown,
  guardian: UnderGuardian,
): Daemon {
  return {
    socket: options.socket,
    browser: browser?.status()?.address ?? null,
    pid: process.pid,
    ...guardian.told,
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

function publishedLog({ config: { limits }, logLevel, pretty, logDestination }: DaemonOptions, feed: Feed): DaemonLog {
  return createDaemonLog({
    level: logLevel,
    pretty,
    ...(logDestination === undefined ? {} : { destination: logDestination }),
    limits,
    onLine: (line) => {
      if (feed.wants('log')) feed.publish({ topic: 'log', at: line.time, plugin: daemonFeedName, data: line });
    },
  });
}

/** What answers still pending get to leave. */
const controlCloseMs = 1000;
const logFlushMs = 500;
/** A disk that hangs must not hold up the end of the daemon. */
const storeCloseMs = 2000;

/**
 * A store that does not open now does not keep the daemon from starting; one of a newer version does: it would miss all
 * that is in it.
 */
async function openStore(store: Store, log: Logger): Promise<void> {
  try {
    await store.open();
  } catch (thrown) {
    const { fault, state } = store.health();
    if (state === 'refused' && fault !== null)
      throw new HostError('state_unusable', fault.message, {
        path: store.folder,
        reason: fault.reason,
        ...fault.details,
      });
    log.error(
      { code: asHostError(thrown).code },
      'the store cannot be opened; what is kept in it is missing until it can',
    );
  }
}
