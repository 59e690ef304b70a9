// The entry of a service's process cell: the same runner, log and calls as in a thread, over the one channel of the
// fork. A watchdog thread stands beside it from the first moment.
import { expose } from 'comlink';
import { getHeapStatistics } from 'node:v8';
import type { CrashReason, ServiceCellApi } from '../protocol/cell/messages.ts';
import { flattenError } from '../protocol/cell/plain-error.ts';
import { type ProcessCellBoot, type RpcMessage, watchFd } from '../protocol/cell/process-messages.ts';
import { ProgressRegister } from '../protocol/cell/register.ts';
import { CellLog } from './cell-log.ts';
import { keepControlSocket } from './guard/process-control.ts';
import { onHostGone } from './host-gone.ts';
import { takeHostLine } from './host-line.ts';
import { layOutInspection } from './inspection.ts';
import { captured } from './primitives.ts';
import { endProcess, guardServiceProcess } from './service-process-guard.ts';
import { MessageReports } from './lane-reports.ts';
import { ServiceRunner } from './service-runner.ts';
import { denyWorkers, startWatchdog, watchdogUp } from './start-watchdog.ts';

const vitalsMs = 500;

// The host made this text.
const boot = JSON.parse(process.argv[2] ?? '') as ProcessCellBoot;
const watchdog = startWatchdog({ fd: watchFd, canInspect: !boot.restricted, ends: 'group' });
const watching = watchdogUp(watchdog);

process.argv.length = 2;
process.title = boot.title;
for (const name of Object.keys(process.env)) {
  // The shell on the way here may have added names of its own.
  if (!boot.env.includes(name)) delete process.env[name];
}

const line = takeHostLine();
onHostGone(endProcess);
const log = new CellLog((message) => line.post(message), boot.logBytesPerSecond);

let dying = false;
/** What was said and is not out yet goes out. */
let flushSaid = (): void => {};
function fatal(reason: CrashReason, thrown: unknown, exitCode?: number): void {
  if (dying) return;
  dying = true;
  flushSaid();
  log.flush();
  line.post({ type: 'crash', reason, error: flattenError(thrown), ...(exitCode === undefined ? {} : { exitCode }) });
  endProcess();
}

guardServiceProcess({ fatal });
if (boot.restricted && !boot.mayStartWorkers) denyWorkers();
if (boot.controlSocket !== undefined) keepControlSocket(boot.controlSocket, boot.mayStartWorkers);
log.captureOutput();
// Without it no cell would be told of its daemon's end, nor could be asked where it is.
watchdog.once('error', (error) => fatal('uncaught_exception', error));

/** The host writes the register it reads; this one tells it what to write. */
class ToldRegister extends ProgressRegister {
  beginByMs = 0;

  override begin(sequence: number, atMs: number): boolean {
    const began = atMs <= this.beginByMs && super.begin(sequence, atMs);
    if (began) line.post({ type: 'begun', sequence, atMs });
    return began;
  }
}

const register = new ToldRegister();
const runner = new ServiceRunner(register, new MessageReports((message) => line.post(message)), log, (message) =>
  line.post(message),
);
flushSaid = () => runner.flush();
let call: ((event: { data: unknown }) => void) | undefined;
line.listen((message) => {
  if (message.type === 'rpc') call?.({ data: message.frame });
  else if (message.type === 'abort') runner.abort(message.reason);
  else if (message.type === 'cancel') runner.cancel(message.turn, message.reason);
  else if (message.type === 'state') runner.replaceState(message.json);
  else {
    register.beginByMs = message.beginByMs;
    runner.execute(message);
  }
});
const api: ServiceCellApi = {
  ...runner.api,
  load: async (options) => {
    await watching;
    return runner.api.load(options);
  },
};
expose(api, {
  postMessage: (frame: unknown) => line.post({ type: 'rpc', frame } satisfies RpcMessage),
  addEventListener: (_type: string, listener: unknown) => {
    call = listener as typeof call;
  },
  removeEventListener: () => {},
});

let lastLoop = performance.eventLoopUtilization();
function tellVitals(): void {
  const loop = performance.eventLoopUtilization();
  const { used_heap_size: heapUsedBytes, external_memory: externalBytes } = getHeapStatistics();
  line.post({
    type: 'vitals',
    heapUsedBytes,
    externalBytes,
    rssBytes: rssBytes(),
    utilization: performance.eventLoopUtilization(loop, lastLoop).utilization,
  });
  lastLoop = loop;
}

function rssBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    // It opens a file, and the plugin may have used up the descriptors.
    return 0;
  }
}

tellVitals();
// It also keeps the process alive while nothing else does.
captured.setInterval(tellVitals, vitalsMs);
layOutInspection({ ownResources: process.getActiveResourcesInfo(), reportMemory: tellVitals });
