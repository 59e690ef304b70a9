// An end that nobody ordered is a failure, whatever it looks like: a process that leaves with exit code 0 or by a
// signal from outside is brought back and counted just as one that crashes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lab, untilStatus } from '../labs/service-lab.ts';

const restart = { policy: 'on-failure', intensity: 5, periodMs: 60_000, backoffMs: [1, 20] };

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'] as const) {
  test(`an idle process cell that somebody ends by ${signal} comes back, and that counts`, async (t) => {
    const made = await lab({ isolation: 'process', restart });
    t.after(() => made.service.stop({ now: true }).catch(() => {}));
    await made.service.start();
    const pid = made.service.status().cell?.pid;
    assert.ok(pid !== undefined);
    process.kill(pid, signal);
    const { counters, lastError, incarnation } = await untilStatus(
      made,
      'it is back',
      ({ lifecycle, incarnation: now }) => lifecycle === 'running' && now === 2,
    );
    assert.deepEqual([counters.restarts, incarnation, lastError?.code], [1, 2, 'cell_crashed']);
    assert.ok(made.timeline.some(({ event }) => event === 'restart_pending'));
    assert.equal(await made.deliver({ do: 'echo', value: 'back' }), 'back');
  });
}

for (const isolation of ['thread', 'process'] as const) {
  test(`exit code 0 of a ${isolation} is no success: it uses up the restarts there are`, async (t) => {
    const made = await lab({ isolation, restart: { ...restart, intensity: 1 }, retry: { maxAttempts: 1 } });
    t.after(() => made.service.stop({ now: true }).catch(() => {}));
    await made.service.start();
    made.publish({ do: 'exit', code: 0 });
    await untilStatus(made, 'it is back', ({ lifecycle, incarnation }) => lifecycle === 'running' && incarnation === 2);
    made.publish({ do: 'exit', code: 0 });
    const { lifecycle, counters } = await untilStatus(
      made,
      'it is given up',
      ({ restart: coming }) => coming?.pending === false,
    );
    assert.deepEqual([lifecycle, counters.crashed, counters.deadLettered], ['failed', 2, 2]);
  });
}
