// Every operation with what it does: the one place where the table's names meet the host. Nothing here knows of a wire.
import type { BrowserServer } from './control/browser/browser-server.ts';
import type { Handlers } from './control/caller.ts';
import { browserHandlers } from './handlers/browser.ts';
import { type DaemonHandlerDeps, daemonHandlers } from './handlers/daemon.ts';
import { deadLetterHandlers } from './handlers/dead-letter.ts';
import { pluginHandlers } from './handlers/plugin.ts';
import { runtimeHandlers } from './handlers/runtime.ts';
import { serviceHandlers } from './handlers/service.ts';
import { telemetryHandlers } from './handlers/telemetry.ts';
import { toolHandlers } from './handlers/tool.ts';
import { workerHandlers } from './handlers/worker.ts';
import type { Host } from './host.ts';
import type { DaemonLog } from './telemetry/daemon-log.ts';

export function handlers(host: Host, daemonLog: Pick<DaemonLog, 'recent'>, daemon: DaemonHandlerDeps, browser: () => BrowserServer | undefined): Handlers {
  return {
    ...daemonHandlers(daemon),
    ...pluginHandlers(host),
    ...serviceHandlers(host),
    ...deadLetterHandlers(host),
    ...toolHandlers(host),
    ...telemetryHandlers(host, daemonLog),
    ...runtimeHandlers(host.registry),
    ...workerHandlers(host.registry),
    ...browserHandlers(browser),
  };
}
