// What may happen while a reload is under way: the old cell dies, the new one dies, somebody stops the service. On a
// virtual clock, for each of these needs two things at one instant.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import { limits } from '../../daemon/config/schema.ts';
import type { BatchMessage, StartedService } from '../../protocol/cell/messages.ts';
import type { CallOutcome } from '../../daemon/cells/cell.ts';
import { KeptState } from '../../daemon/dispatch/kept-state.ts';
import { DeadLetters } from '../../daemon/services/dead-letters.ts';
import { Service } from '../../daemon/services/service.ts';
import { WakeTurns } from '../../daemon/dispatch/wake-turns.ts';
import type { ServicePlan } from '../../daemon/dispatch/service-plan.ts';
import { type Deed, SimulatedCell } from '../labs/simulated-cell.ts';
import { simulatedPlan } from '../labs/simulated-plan.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

type Start = 'run' | 'throw' | 'hang';

/** A cell that is slow to die and slow to stop. */
class SlowCell extends SimulatedCell {
  dyingMs = 0;
  stopHangs = false;
  /** Sits in native code: it sees nothing that it is sent. */
  deaf = false;
  readonly #clock: VirtualClock;

  constructor(
    world: ConstructorParameters<typeof SimulatedCell>[0],
    listener: ConstructorParameters<typeof SimulatedCell>[1],
  ) {
    super(world, listener);
    this.#clock = world.clock;
  }

  override send(batch: BatchMessage): void {
    if (!this.deaf) super.send(batch);
  }

  /** What its start came to is heard a moment after its end. */
  override async start(deadlineMs: number): Promise<CallOutcome<StartedService>> {
    const outcome = await super.start(deadlineMs);
    for (let turns = 0; turns < 10; turns += 1) await Promise.resolve();
    return outcome;
  }

  override kill(): void {
    this.#clock.after(this.dyingMs, () => super.kill());
  }

  override stop(deadlineMs: number): Promise<CallOutcome<null>> {
    if (!this.stopHangs) return super.stop(deadlineMs);
    return new Promise(
      (resolve) => void this.#clock.after(deadlineMs, () => resolve({ ok: false, phase: 'deadline' })),
    );
  }
}

const handleMs = 100;
const startMs = 500;
const stopMs = 400;

class Trial {
  readonly clock = new VirtualClock();
  readonly cells: SlowCell[] = [];
  readonly service: Service;
  readonly plan: ServicePlan;
  readonly starts: Start[];

  constructor(...starts: Start[]) {
    this.starts = starts;
    this.plan = simulatedPlan({
      timeouts: { startMs, handleMs, statusMs: 50, stopMs },
      retry: { maxAttempts: 1 },
      restart: { backoffMs: [10, 20] },
    });
    const world = {
      clock: this.clock,
      latencyMs: () => 0,
      pauseMs: () => 0,
      nextWay: () => 'ring' as const,
      began: () => {},
      ended: () => {},
      startAs: () => this.starts.shift() ?? ('run' as const),
    };
    this.service = new Service(this.plan, {
      clock: this.clock,
      random: () => 0.5,
      state: new KeptState(),
      deadLetters: new DeadLetters(limits.parse({})),
      wakes: new WakeTurns(this.clock, 2),
      spawnCell: (_spec, listener) => {
        const cell = new SlowCell(world, listener);
        this.cells.push(cell);
        return cell;
      },
      limits: limits.parse({}),
      redact: (text) => text,
      outlets: { timeline: () => {}, feed: () => {}, log: () => {} },
      cellLog: {
        log: () => {},
        logDropped: () => {},
        counts: () => ({ lines: 0, bytes: 0, droppedLines: 0, droppedBytes: 0 }),
      },
    });
  }

  /** Time passes, and the promises of the host run at each of its milliseconds. */
  async pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 1) {
      this.clock.advance(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async running(): Promise<void> {
    void this.service.start();
    await this.pass(5);
    assert.equal(this.service.lifecycle, 'running');
  }

  send(does: Deed['does'], ms = 0): void {
    void this.service.publish({ ingress: 'in', kind: 'do', payload: { n: 0, does, ms } });
  }

  cell(number: number): SlowCell {
    const cell = this.cells[number - 1];
    assert.ok(cell !== undefined, `there is a cell ${String(number)}`);
    return cell;
  }
}

/** What a promise has come to so far. */
function watched(promise: Promise<unknown>): { state: string } {
  const seen = { state: 'pending' };
  promise.then(
    () => (seen.state = 'resolved'),
    (error: unknown) => (seen.state = error instanceof HostError ? error.code : String(error)),
  );
  return seen;
}

test('a service whose old cell is already being ended when the reload fails comes back, and is not left running without a cell', async () => {
  const trial = new Trial('run', 'hang');
  await trial.running();
  trial.cell(1).dyingMs = 1000;
  trial.send('hang');
  await trial.pass(handleMs - 10);
  const reload = watched(trial.service.reload(trial.plan));
  await trial.pass(startMs + 50);
  assert.equal(reload.state, 'start_timeout');
  await trial.pass(1000);
  trial.send('return');
  await trial.pass(50);
  const { lifecycle, counters, queue } = trial.service.status();
  assert.deepEqual([lifecycle, counters.handled, queue.depth], ['running', 1, 0]);
});

test('a new cell that dies before it takes over is told, leaves no old cell behind, and the service comes back', async () => {
  const trial = new Trial();
  await trial.running();
  trial.send('return', 80);
  await trial.pass(5);
  const reload = watched(trial.service.reload(trial.plan));
  await trial.pass(20);
  trial.cell(2).crash();
  await trial.pass(80);
  assert.equal(reload.state, 'cell_crashed');
  assert.ok(trial.cell(1).dead, 'the old cell lives on, and nobody knows it');
  assert.equal(trial.service.status().lastError?.code, 'cell_crashed');
  trial.send('return');
  await trial.pass(50);
  assert.deepEqual([trial.service.lifecycle, trial.service.status().counters.handled], ['running', 2]);
});

test('a service is stopped only when the cell of before its reload is gone too', async () => {
  const trial = new Trial();
  await trial.running();
  trial.cell(1).stopHangs = true;
  void trial.service.reload(trial.plan);
  await trial.pass(10);
  assert.equal(trial.service.incarnation, 2);
  assert.ok(!trial.cell(1).dead);
  const stop = watched(trial.service.stop({ now: false }));
  await trial.pass(50);
  assert.equal(stop.state, 'pending');
  await trial.pass(stopMs);
  assert.equal(stop.state, 'resolved');
  assert.ok(trial.cell(1).dead);
});

test('reloads in a row do not gather old cells that hang in their stop', async () => {
  const trial = new Trial();
  await trial.running();
  for (let n = 1; n <= 20; n += 1) {
    trial.cell(n).stopHangs = true;
    void trial.service.reload(trial.plan);
    await trial.pass(10);
    assert.equal(trial.service.incarnation, n + 1);
  }
  assert.ok(trial.cells.filter(({ dead }) => !dead).length <= 2);
});

test('a stop does not wait for the start of a new incarnation that nobody wants any more', async () => {
  const trial = new Trial('run', 'hang');
  await trial.running();
  const reload = watched(trial.service.reload(trial.plan));
  await trial.pass(10);
  const stop = watched(trial.service.stop({ now: true }));
  await trial.pass(20);
  assert.deepEqual([stop.state, reload.state, trial.service.lifecycle], ['resolved', 'start_failed', 'stopped']);
  assert.ok(trial.cells.every(({ dead }) => dead));
});

test('after a reload that failed the status names the incarnation that runs', async () => {
  const trial = new Trial('run', 'throw');
  await trial.running();
  const reload = watched(trial.service.reload(trial.plan));
  await trial.pass(10);
  assert.equal(reload.state, 'start_failed');
  assert.equal(trial.service.status().incarnation, 1);
});

test('a new incarnation does not wait for the end of an old cell that sits in native code between two events', async () => {
  const trial = new Trial();
  await trial.running();
  trial.cell(1).deaf = true;
  trial.cell(1).dyingMs = 60_000;
  trial.send('return');
  const reload = watched(trial.service.reload(trial.plan));
  await trial.pass(1000);
  const { incarnation, counters, queue } = trial.service.status();
  assert.deepEqual([reload.state, incarnation, counters.handled, queue.depth], ['resolved', 2, 1, 0]);
  assert.equal(trial.cell(1).dead, false);
});

test('a restart during a start leaves one incarnation, and the start that it ended fails nothing', async () => {
  const trial = new Trial('hang', 'run');
  const start = watched(trial.service.start());
  await trial.pass(5);
  const restart = watched(trial.service.restart());
  await trial.pass(50);
  assert.deepEqual(
    [start.state, restart.state, trial.service.lifecycle, trial.service.incarnation],
    ['service_stopped', 'resolved', 'running', 2],
  );
  assert.equal(trial.cells.filter(({ dead }) => !dead).length, 1);
  const stop = watched(trial.service.stop());
  await trial.pass(50);
  assert.equal(stop.state, 'resolved');
});

test('a restart that comes while a service stops begins with the end of the stop, and a second stop overtakes it', async () => {
  const trial = new Trial();
  await trial.running();
  trial.cell(1).stopHangs = true;
  const stop = watched(trial.service.stop());
  const restart = watched(trial.service.restart());
  await trial.pass(stopMs + 50);
  assert.deepEqual(
    [stop.state, restart.state, trial.service.lifecycle, trial.service.incarnation],
    ['resolved', 'resolved', 'running', 2],
  );
  trial.cell(2).stopHangs = true;
  const stops = [watched(trial.service.stop())];
  const overtaken = watched(trial.service.restart());
  stops.push(watched(trial.service.stop()));
  await trial.pass(stopMs + 50);
  assert.deepEqual(
    [...stops.map(({ state }) => state), overtaken.state, trial.service.lifecycle],
    ['resolved', 'resolved', 'service_stopped', 'stopped'],
  );
});

test('a restart during a reload ends the new incarnation and starts one more, and the events wait for it', async () => {
  const trial = new Trial('run', 'hang', 'run');
  await trial.running();
  const reload = watched(trial.service.reload(trial.plan));
  await trial.pass(10);
  const restart = watched(trial.service.restart());
  trial.send('return');
  await trial.pass(50);
  const { lifecycle, incarnation, counters } = trial.service.status();
  assert.deepEqual(
    [reload.state, restart.state, lifecycle, incarnation, counters.handled],
    ['start_failed', 'resolved', 'running', 3, 1],
  );
  assert.equal(trial.cells.filter(({ dead }) => !dead).length, 1);
});

test('a failed service that is stopped while its cell still dies is stopping until that is gone, and refuses events meanwhile', async () => {
  const trial = new Trial();
  await trial.running();
  trial.cell(1).dyingMs = 300;
  trial.send('hang');
  await trial.pass(handleMs + 5);
  assert.equal(trial.service.lifecycle, 'failed');
  const stop = watched(trial.service.stop());
  await trial.pass(5);
  assert.deepEqual([stop.state, trial.service.lifecycle], ['pending', 'stopping']);
  assert.throws(() => trial.send('return'), { code: 'service_stopped' });
  const start = watched(trial.service.start());
  await trial.pass(300);
  assert.deepEqual([stop.state, start.state, trial.service.lifecycle], ['resolved', 'service_stopped', 'stopped']);
});

test('a service whose plugin goes away does not come back from a failure, and says why', async () => {
  const trial = new Trial();
  await trial.running();
  trial.cell(1).crash();
  await trial.pass(1);
  assert.equal(trial.service.lifecycle, 'failed');
  trial.service.retire();
  assert.throws(() => trial.send('return'), { code: 'service_failed', message: /its plugin is going away/ });
  await trial.pass(100);
  assert.deepEqual([trial.service.lifecycle, trial.cells.length, trial.clock.pendingTimers], ['failed', 1, 0]);
});

test('messages of its cells that could not be read are shown in the status, those of earlier incarnations included', async () => {
  const trial = new Trial();
  await trial.running();
  assert.equal(trial.service.status().malformedMessages, 0);
  trial.cell(1).malformed = 2;
  assert.equal(trial.service.status().malformedMessages, 2);
  trial.cell(1).crash();
  await trial.pass(50);
  trial.cell(2).malformed = 3;
  assert.equal(trial.service.status().malformedMessages, 5);
});
