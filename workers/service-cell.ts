// The entry of a service's thread cell: guards the thread, exposes load, start, status and stop through comlink on
// one private port, and executes the lane's batches that come on the other.
import { expose } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { getHeapStatistics } from 'node:v8';
import { type MessagePort, workerData } from 'node:worker_threads';
import type {
  CellMessage,
  CrashReason,
  HostMessage,
  ServiceCellApi,
  ServiceCellOptions,
} from '../protocol/cell/messages.ts';
import { flattenError } from '../protocol/cell/plain-error.ts';
import { ProgressRegister } from '../protocol/cell/register.ts';
import { CellLog } from './cell-log.ts';
import { endCell, guardCell, hideParent, leaveBy } from './guard.ts';
import { nameChannelsFor } from './guard/channels.ts';
import type { Grants } from './guard/denial.ts';
import { openDescriptors } from './guard/descriptors.ts';
import { layOutInspection } from './inspection.ts';
import { osThread } from './os-thread.ts';
import { SharedReports } from './lane-reports.ts';
import { type Poster, captured, posterOf } from './primitives.ts';
import { ServiceRunner } from './service-runner.ts';

export interface ServiceCellData {
  readonly rpcPort: MessagePort;
  readonly lanePort: MessagePort;
  readonly register: SharedArrayBuffer;
  readonly logBytesPerSecond: number;
  readonly grants: Grants;
}

/** The timer tells that the event loop turns; between events memory is told more often. */
const turnMs = 500;
const memoryReportMs = 25;

const { rpcPort, lanePort, register: registerBuffer, logBytesPerSecond, grants } = workerData as ServiceCellData;
/** Between two events there is time to tell the memory. */
class MemoryReportingRegister extends ProgressRegister {
  #reportedMs = 0;

  override finish(sequence: number, atMs: number): boolean {
    if (atMs - this.#reportedMs >= memoryReportMs) {
      this.#reportedMs = atMs;
      reportMemory();
    }
    return super.finish(sequence, atMs);
  }
}

const register = new MemoryReportingRegister(registerBuffer);
const post: Poster<CellMessage> = posterOf(lanePort);
const log = new CellLog(post, logBytesPerSecond);

let dying = false;
/** What was said and is not out yet goes out. */
let flushSaid = (): void => {};
function fatal(reason: CrashReason, thrown: unknown, exitCode?: number): void {
  if (dying) return;
  dying = true;
  flushSaid();
  log.flush();
  post({ type: 'crash', reason, error: flattenError(thrown), ...(exitCode === undefined ? {} : { exitCode }) });
  endCell();
}

leaveBy(register.gate);
hideParent();
guardCell({ fatal }, grants);
log.captureOutput();

const runner = new ServiceRunner(register, new SharedReports(register, post), log, post);
flushSaid = () => runner.flush();
lanePort.on('message', (message: HostMessage) => {
  if (message.type === 'batch') runner.execute(message);
  else if (message.type === 'cancel') runner.cancel(message.turn, message.reason);
  else if (message.type === 'state') runner.replaceState(message.json);
  else runner.abort(message.reason);
});
// Ended before it was up: the plugin is not imported any more.
if (!register.comeUp()) endCell();
expose({ ...runner.api, load }, nodeEndpoint(rpcPort));

/** The host ends no thread in the middle of this if it can be helped: what it has open would stay open. */
async function load(options: ServiceCellOptions): ReturnType<ServiceCellApi['load']> {
  nameChannelsFor(options.plugin.id);
  register.importing(true);
  try {
    return await runner.api.load(options);
  } finally {
    register.importing(false);
  }
}

function reportMemory(): void {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  register.reportMemory(heap, external);
  register.reportDescriptors(openDescriptors());
}
reportMemory();
register.reportThread(osThread());
layOutInspection({ ownResources: ['MessagePort', 'MessagePort'], reportMemory });
captured
  .setInterval(() => {
    register.turned();
    reportMemory();
  }, turnMs)
  .unref();
