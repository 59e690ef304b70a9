// The thread of the storekeeper. It waits for the host's messages, takes all that have gathered, and works on them in
// one round.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { FromKeeper, KeeperData, ToKeeper } from '../protocol/store/messages.ts';
import { faultOfError } from './store/engine-fault.ts';
import { openJournal } from './store/journal-file.ts';
import { Keeper } from './store/keeper.ts';
import { LmdbEngine } from './store/lmdb-engine.ts';

const port = parentPort;
if (port === null) throw new Error('the storekeeper runs as a thread of the daemon');
const data = workerData as KeeperData;
const post = (message: FromKeeper): void => port.postMessage(message);

/** The thread ends by itself: nothing holds it once its port is closed. */
const end = (): void => port.close();

const orders = {
  // As an error of its own would.
  die: () => process.exit(1),
  kill: () => void process.kill(process.pid, 'SIGKILL'),
  hang: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, hangMs),
} as const;
const hangMs = 3000;

function unusable(error: unknown): void {
  post({ type: 'unusable', fault: faultOfError(error, data.folder) });
  end();
}

function gathered(first: ToKeeper): ToKeeper[] {
  const messages = [first];
  for (
    let next = receiveMessageOnPort(port as NonNullable<typeof port>);
    next !== undefined;
    next = receiveMessageOnPort(port as NonNullable<typeof port>)
  ) {
    messages.push(next.message as ToKeeper);
  }
  return messages;
}

try {
  const keeper = new Keeper({
    ...data,
    openEngine: (path, options) => new LmdbEngine(path, options),
    openJournal,
    post,
    carryOut: (order) => orders[order](),
  });
  post(keeper.opened());
  port.on('message', (message: ToKeeper) => {
    try {
      if (!keeper.round(gathered(message))) end();
    } catch (error) {
      unusable(error);
    }
  });
} catch (error) {
  unusable(error);
}
