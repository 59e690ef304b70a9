// How a daemon comes back to a long queue on disk: the time until the first of its events was handled, and the memory
// that took, beside a start with nothing in the queue.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../protocol/client/client.ts';
import { BenchDaemon } from './bench-daemon.ts';
import { eventAt } from './payload.ts';
import { writeService } from './plugins.ts';
import type { Sample } from './subject.ts';

const id = 'bench.backlog';
const maxBytes = 16 * 1024 * 1024;
const batch = 500;
const onTheWay = 8;
const withinMs = 60_000;
const mb = 1024;

/** The most that was resident at any time. */
function peakMbOf(pid: number): number {
  const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1];
  return Number(found ?? NaN) / mb;
}

async function fill(client: Client, events: number): Promise<void> {
  const held = eventAt(0);
  await client.call('ingress.publish', { plugin: id, event: { ...held, payload: { ...held.payload, hold: true } } });
  let left = events;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      const count = Math.min(batch, left);
      left -= count;
      const some = Array.from({ length: count }, (_, at) => eventAt(left + at));
      const answer = await client.call('ingress.publish', { plugin: id, events: some });
      if (!('results' in answer) || answer.results.some(({ accepted }) => !accepted))
        throw new Error('an event was refused');
    }
  };
  await Promise.all(Array.from({ length: onTheWay }, lane));
}

/** From the start of the process to the first event that was handled. */
async function firstDelivery(folder: string, beganMs: number, daemon: BenchDaemon): Promise<Sample> {
  for (const byMs = beganMs + withinMs; ; await sleep(5)) {
    const { counters } = await daemon.client.call('service.status', { plugin: id });
    if (counters.handled > 0) break;
    if (performance.now() > byMs) throw new Error(`nothing was handled in ${folder}`);
  }
  return { firstMs: performance.now() - beganMs, peakMb: peakMbOf(daemon.pid) };
}

/** `events`: how many are queued; 0 is the start that it is compared with, which is sent one event. */
export async function recoveryOf(events: number): Promise<Sample> {
  const folder = await mkdtemp(join(tmpdir(), 'nagaya-bench-recovery-'));
  try {
    const before = await BenchDaemon.start({ folder });
    const plugin = await writeService(folder, {
      id,
      code: 'backlog',
      capacity: 1_000_000,
      maxBytes,
      durability: 'disk',
    });
    await before.load(plugin, { start: true, remember: true });
    // The first event of all is being handled, and does not count in the queue.
    if (events > 0) await fill(before.client, events - 1);
    await before.kill();
    const beganMs = performance.now();
    const daemon = await BenchDaemon.start({ folder });
    try {
      if (events === 0) await daemon.client.call('ingress.publish', { plugin: id, event: eventAt(0) });
      return await firstDelivery(folder, beganMs, daemon);
    } finally {
      await daemon.kill();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const recoveryMemory = { maxBytes, moreMb: 64 } as const;
