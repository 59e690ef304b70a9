// Nagaya's own dispatch without a daemon around it: the real service with a real thread cell, with everything it does
// in the daemon. Events stand in its queue when the clock begins, as they do for the raw peers.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { spawnCellFor } from '../../../daemon/cells/spawn.ts';
import { limits as limitsSchema } from '../../../daemon/config/schema.ts';
import { readPlugin } from '../../../daemon/plugins/manifest-file.ts';
import { realClock } from '../../../daemon/time/real-clock.ts';
import { KeptState } from '../../../daemon/dispatch/kept-state.ts';
import { DeadLetters } from '../../../daemon/services/dead-letters.ts';
import { Service } from '../../../daemon/services/service.ts';
import { WakeTurns } from '../../../daemon/dispatch/wake-turns.ts';
import { Timeline } from '../../../daemon/telemetry/timeline.ts';
import { eventsOf } from '../payload.ts';
import { writeService } from '../plugins.ts';
import type { Way, Work } from './way.ts';

const fill = 16_384;
const events = eventsOf(4096);
const limits = limitsSchema.parse({});

async function startService(folder: string): Promise<Service> {
  const plugin = readPlugin(await writeService(folder, { capacity: fill * 2 }), {
    overrides: {},
    manifestBytes: limits.manifestBytes,
  });
  const section = plugin.manifest.service;
  if (section === undefined) throw new Error('the plugin of the suite has a service');
  const timeline = new Timeline({ capacity: limits.timeline, clock: realClock });
  const service = new Service(
    { plugin, section, env: {}, entryUrl: pathToFileURL(plugin.entry).href },
    {
      clock: realClock,
      random: Math.random,
      state: new KeptState(),
      deadLetters: new DeadLetters(limits),
      spawnCell: spawnCellFor(limits),
      wakes: new WakeTurns(realClock, 1),
      limits,
      redact: (text) => text,
      outlets: { timeline: (entry) => void timeline.record(entry), feed: () => undefined, log: () => undefined },
      cellLog: {
        log: () => undefined,
        logDropped: () => undefined,
        counts: () => ({ lines: 0, bytes: 0, droppedLines: 0, droppedBytes: 0 }),
      },
    },
  );
  await service.start();
  return service;
}

const answerMs = 60_000;

export async function nagayaWay(admissionCounts: boolean): Promise<Way> {
  const folder = await mkdtemp(join(tmpdir(), 'nagaya-bench-'));
  const service = await startService(folder);
  return {
    async busy(durationMs): Promise<Work> {
      let handled = 0;
      let tookMs = 0;
      while (tookMs < durationMs) {
        const fromMs = performance.now();
        for (let at = 1; at < fill; at += 1) service.publishToMemory(events[at % events.length]);
        // First in, first out: when the last one is answered, all are handled.
        const last = service.deliver(events[0], answerMs);
        const beganMs = admissionCounts ? fromMs : performance.now();
        await last;
        tookMs += performance.now() - beganMs;
        handled += fill;
      }
      return { events: handled, tookMs };
    },
    async end() {
      await service.stop({ now: true });
      await rm(folder, { recursive: true, force: true });
    },
  };
}
