// A process that commits numbers one after the other and writes each to standard output once it is answered as on disk:
// what is killed, traced or run on a small file system from outside. Arguments: state folder, how many, bytes of each
// value; with `fill-pool FIFO` behind them, libuv's pool is first filled with reads that never end.
import { readFile, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { put, storeKey } from '../../protocol/store/change.ts';
import { config } from '../../daemon/config/schema.ts';
import { Store } from '../../daemon/store/store.ts';
import { realClock } from '../../daemon/time/real-clock.ts';

const [, , stateFolder = '', count = '0', bytes = '100', , fifo] = process.argv;
const poolThreads = 64;
/** Time for the store to come back. */
const afterFailureMs = 200;

if (fifo !== undefined) for (let n = 0; n < poolThreads; n += 1) readFile(fifo, () => undefined);

const store = new Store({
  stateFolder,
  version: '0.0.0',
  limits: config.parse({}).limits,
  clock: realClock,
  tell: (level, message) => void process.stderr.write(`${level}: ${message}\n`),
});
for (let n = 0; n < Number(count); n += 1) {
  await store.commit([put('numbers', storeKey(n), String(n).padEnd(Number(bytes), '.'))]).then(
    () => writeSync(1, `stored ${String(n)}\n`),
    async (error: { code?: string }) => {
      writeSync(1, `${String(error.code)} ${String(n)}\n`);
      await pause(afterFailureMs);
    },
  );
}
await store.close(10_000);
writeSync(1, 'closed\n');
// A plain exit would wait for libuv's pool.
process.kill(process.pid, 'SIGKILL');
