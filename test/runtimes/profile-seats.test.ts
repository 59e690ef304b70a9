// How many cells workers may have at once: who gets a seat, who leaves for whom, and how long anybody waits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CellSlots, type CellSlot } from '../../daemon/runtimes/programs/cell-slots.ts';
import { failed } from '../labs/profile-cases.ts';
import { profileLab } from '../labs/profile-lab.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';
import { until } from '../labs/until.ts';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('there are never more cells than seats, nobody waits while one is idle, and every wait ends', async () => {
  const deed = fc.record({
    who: fc.nat(9),
    what: fc.constantFrom('take', 'idle', 'busy', 'release', 'giveUp', 'wait'),
  });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(deed, { maxLength: 60 }), async (capacity, deeds) => {
      const clock = new VirtualClock();
      const seats = new CellSlots(capacity, clock);
      const held = new Map<number, { readonly seat: CellSlot; idle: boolean; leaving: boolean }>();
      const waiting = new Map<number, () => void>();
      let granted = 0;
      for (const { who, what } of deeds) {
        const mine = held.get(who);
        if (what === 'take' && mine === undefined && !waiting.has(who)) {
          const wait = seats.take(1000);
          waiting.set(who, wait.giveUp);
          void wait.seat.then((seat) => {
            waiting.delete(who);
            if (seat === undefined) return;
            granted += 1;
            held.set(who, { seat, idle: false, leaving: false });
          });
        } else if (what === 'idle' && mine !== undefined && !mine.idle) {
          mine.idle = true;
          mine.seat.idle(() => {
            assert.ok(mine.idle, 'a busy cell was asked to leave');
            mine.leaving = true;
          });
        } else if (what === 'busy' && mine !== undefined && !mine.leaving) {
          mine.idle = false;
          mine.seat.busy();
        } else if (what === 'release' && mine !== undefined) {
          held.delete(who);
          mine.seat.release();
          mine.seat.release();
        } else if (what === 'giveUp') {
          waiting.get(who)?.();
        } else if (what === 'wait') {
          clock.advance(300);
        }
        await settled();
        assert.ok(held.size <= capacity);
        assert.equal(seats.taken, held.size);
        assert.equal(seats.waiting, waiting.size);
        const leaving = [...held.values()].filter((one) => one.leaving).length;
        const idle = [...held.values()].filter((one) => one.idle && !one.leaving).length;
        assert.ok(waiting.size === 0 || idle === 0 || waiting.size <= leaving, 'somebody waits while a cell is idle');
        assert.ok(waiting.size === 0 || held.size === capacity, 'somebody waits although there is room');
      }
      clock.advance(1000);
      await settled();
      assert.equal(seats.waiting, 0);
      assert.ok(granted >= held.size);
    }),
    { numRuns: 200 },
  );
});

test("an idle worker's cell makes room for a busy one's, the longest idle first, and comes back when it is needed", async (t) => {
  const lab = await profileLab(t, { limits: { workerCells: 2 } });
  const [first, second, third] = [lab.worker(), lab.worker(), lab.worker()];
  for (const [n, worker] of [first, second, third].entries())
    assert.equal((await worker.run({ do: 'echo', text: String(n) })).text, String(n));
  assert.deepEqual(
    [first, second, third].map(({ program }) => program.view().live),
    [false, true, true],
  );
  assert.equal((await first.run({ do: 'echo', text: 'again' })).text, 'again');
  assert.equal(first.program.view().incarnation, 2);
  assert.equal(lab.host.profiles.cells, 2);
});

test('where all cells are busy an input waits for the first that is done', async (t) => {
  const lab = await profileLab(t, { limits: { workerCells: 1 } });
  const [one, other] = [lab.worker(), lab.worker()];
  const busy = one.begin({ do: 'pieces', pieces: ['a', 'b', 'c'], ms: 150 });
  await busy.said('a');
  const waiting = other.begin({ do: 'echo', text: 'my turn' });
  assert.equal((await busy.ended).kind, 'done');
  assert.equal(busy.text(), 'abc');
  assert.equal((await waiting.ended).kind, 'done');
  assert.equal(waiting.text(), 'my turn');
});

for (const isolation of ['thread', 'process'] as const) {
  test(`where more workers are busy than there are cells, a cell handles many inputs before it makes room: ${isolation}`, async (t) => {
    const lab = await profileLab(t, { limits: { workerCells: 2 }, override: { isolation } });
    const inputs = 12;
    const workers = Array.from({ length: 4 }, () => lab.worker());
    const beganMs = performance.now();
    await Promise.all(
      workers.map(async (worker) => {
        for (let n = 0; n < inputs; n += 1)
          assert.equal((await worker.run({ do: 'pieces', pieces: [String(n)], ms: 5 })).text, String(n));
      }),
    );
    const cells = workers.reduce((sum, { program }) => sum + program.view().incarnation, 0);
    t.diagnostic(
      `${String(workers.length * inputs)} inputs took ${String(cells)} cells and ${String(Math.round(performance.now() - beganMs))} ms`,
    );
    assert.ok(cells <= (workers.length * inputs) / 3, `${String(cells)} cells`);
  });
}

test("a worker that is never done lets another have the cell before that one's wait is over", async (t) => {
  const lab = await profileLab(t, { limits: { workerCells: 1 }, override: { profiles: { lab: { timeoutMs: 800 } } } });
  const [steady, other] = [lab.worker(), lab.worker()];
  let going = true;
  await steady.run({ do: 'echo', text: 'first' });
  const work = (async () => {
    while (going) assert.equal((await steady.run({ do: 'pieces', pieces: ['x'], ms: 5 })).kind, 'done');
  })();
  assert.equal((await other.run({ do: 'echo', text: 'in time' })).text, 'in time');
  going = false;
  await work;
});

test('an input that waits for a cell can be cancelled, and those behind it are not held up', async (t) => {
  const lab = await profileLab(t, { limits: { workerCells: 1 } });
  await lab.worker('builtin:default').run('idle');
  const [one, given, next] = [lab.worker(), lab.worker(), lab.worker()];
  const busy = one.begin({ do: 'loop' });
  await busy.said('looping');
  const cancelled = given.begin({ do: 'echo', text: 'x' });
  const waiting = next.run({ do: 'echo', text: 'at last' });
  given.program.cancel();
  assert.deepEqual(await cancelled.ended, { kind: 'cancelled' });
  assert.equal(given.program.view().incarnation, 0);
  one.program.cancel();
  await busy.ended;
  assert.equal((await waiting).text, 'at last');
});

test('an input that gets no cell in time is told by which bound', async (t) => {
  const lab = await profileLab(t, {
    limits: { workerCells: 1 },
    override: { profiles: { lab: { timeoutMs: 60_000 }, missing: { timeoutMs: 200 } } },
  });
  const one = lab.worker();
  const busy = one.begin({ do: 'hang' });
  await busy.said('hanging');
  const error = failed(await lab.worker('test.profiles:missing').run('x'), 'dispatch_timeout');
  assert.match(error.message, /waited 200 ms for a cell: .*limits\.workerCells \(1\)/);
  assert.equal(error.details['phase'], 'queued');
  one.program.cancel();
  await busy.ended;
  await until('the seat is free again', () => lab.host.profiles.cells === 0);
});
