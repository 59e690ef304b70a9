// Services take turns where many are busy. One whose handler waits for something has no use of its turn: it gives it
// back at once, however long a turn may be, in a thread as in a process.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { realClock } from '../../daemon/time/real-clock.ts';
import { WakeTurns } from '../../daemon/dispatch/wake-turns.ts';
import { lab } from '../labs/service-lab.ts';
import { until } from '../labs/until.ts';

const waitMs = 2000;

for (const isolation of ['thread', 'process'] as const) {
  test(`handlers that wait do so side by side, although one turn is given at a time (${isolation})`, async () => {
    const wakes = new WakeTurns(realClock, 1, 60_000);
    const labs = await Promise.all(
      Array.from({ length: 4 }, () => lab({ isolation, timeouts: { handleMs: 20_000 } }, {}, wakes)),
    );
    try {
      await Promise.all(labs.map(({ service }) => service.start()));
      const beganMs = performance.now();
      for (const { publish } of labs) publish({ do: 'sleep', ms: waitMs });
      await until('all have been handled', () => labs.every(({ service }) => service.status().counters.handled === 1));
      const tookMs = performance.now() - beganMs;
      assert.ok(tookMs < 3 * waitMs, `one after the other: ${String(Math.round(tookMs))} ms`);
    } finally {
      await Promise.all(labs.map(({ service }) => service.stop({ now: true })));
    }
  });
}
