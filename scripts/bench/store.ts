// What the store costs on this machine: `npx tsx scripts/bench/store.ts` after a build. It measures the store as the
// daemon uses it, with its thread and its messages, beside an append to a file with a sync.
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { put, storeKey } from '../../protocol/store/change.ts';
import { config } from '../../daemon/config/schema.ts';
import { Store } from '../../daemon/store/store.ts';
import { realClock } from '../../daemon/time/real-clock.ts';

const eventBytes = 300;
const loneCommits = 500;
const inFlight = 256;
const runMs = 2000;

const folder = mkdtempSync(join(tmpdir(), 'nagaya-store-bench-'));
const store = new Store({
  stateFolder: folder,
  version: 'bench',
  limits: config.parse({}).limits,
  clock: realClock,
  tell: (_level, message) => console.error(message),
});
const page = (events: number): string =>
  `[${Array.from({ length: events }, () => JSON.stringify('x'.repeat(eventBytes - 3))).join(',')}]`;

const percentile = (times: readonly number[], share: number): string =>
  (times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? 0).toFixed(2);

async function loneTimes(act: () => void | Promise<void>): Promise<string> {
  const times: number[] = [];
  for (let n = 0; n < loneCommits; n += 1) {
    const began = performance.now();
    await act();
    times.push(performance.now() - began);
  }
  return `p50 ${percentile(times, 0.5)} ms, p99 ${percentile(times, 0.99)} ms`;
}

/** Events a second with so many commits on the way, and what the host's own thread spends on each. */
async function pipelined(events: number): Promise<string> {
  const value = page(events);
  let place = 0;
  const began = performance.now();
  const cpu = process.cpuUsage();
  const hostBusy = performance.eventLoopUtilization();
  const sender = async (): Promise<void> => {
    while (performance.now() - began < runMs)
      await store.commit([
        put(`page-${String.fromCharCode(96 + Math.min(26, events))}`, storeKey((place += 1)), value),
      ]);
  };
  await Promise.all(Array.from({ length: inFlight }, sender));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const host = performance.eventLoopUtilization(hostBusy).active / 1000;
  const count = place * events;
  return `${(count / seconds / 1000).toFixed(0)} k/s, ${((user + system) / count).toFixed(2)} µs of all threads and ${((host * 1e6) / count).toFixed(2)} µs of the host's for an event`;
}

await store.commit([put('warm', 'up', '1')]);
const file = openSync(join(folder, 'append'), 'a');
const line = page(1);
console.log(`append and fdatasync, alone: ${await loneTimes(() => (writeSync(file, line), fdatasyncSync(file)))}`);
closeSync(file);
let lone = 0;
console.log(`commit, alone: ${await loneTimes(() => store.commit([put('lone', storeKey((lone += 1)), line)]))}`);
for (const events of [1, 16, 64]) console.log(`pages of ${String(events)}: ${await pipelined(events)}`);
console.log(`verify: ${JSON.stringify(await store.kept.verify())}`);
await store.close(10_000);
rmSync(folder, { recursive: true, force: true });
