// What the daemon itself slept through counts against nobody's deadline.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AwakeTime, type Standstill } from '../../daemon/time/awake-time.ts';

/** A process that a test stops and lets go on; its timers run when the test says so. */
class Machine {
  nowMs = 50_000;
  ranMs = 0;
  readonly told: Standstill[] = [];
  readonly timers: { readonly dueMs: number; readonly run: () => void }[] = [];
  readonly time: AwakeTime;

  constructor() {
    this.time = new AwakeTime({
      nowMs: () => this.nowMs,
      ranMs: () => this.ranMs,
      setTimer: (run, delayMs) => {
        this.timers.push({ dueMs: this.nowMs + delayMs, run });
        return setTimeout(() => {}, 0);
      },
    });
    this.time.watch((standstill) => this.told.push(standstill));
    // The beat of the real timer does not matter here.
    this.time.nowMs();
  }

  /** Awake, with the looks that an awake host takes. */
  goOn(ms: number): void {
    for (let left = ms; left > 0; left -= 50) {
      this.nowMs += Math.min(50, left);
      this.time.nowMs();
      this.fire();
    }
  }

  stop(ms: number): void {
    this.nowMs += ms;
  }

  fire(): void {
    for (let at = 0; at < this.timers.length; at += 1) {
      const timer = this.timers[at];
      if (timer === undefined || timer.dueMs > this.nowMs) continue;
      this.timers.splice(at, 1);
      at -= 1;
      timer.run();
    }
  }
}

function machine(t: { after(run: () => void): void }): Machine {
  const made = new Machine();
  t.after(() => made.time.unwatch());
  return made;
}

const about = (actual: number, expected: number, what: string): void =>
  assert.ok(Math.abs(actual - expected) <= 110, `${what}: ${String(actual)} instead of about ${String(expected)}`);

test('the clock stands while the process is stopped, and a deadline still has what it had left', (t) => {
  const host = machine(t);
  const beganMs = host.time.nowMs();
  let passed = 0;
  host.time.after(1000, () => (passed += 1));
  host.goOn(400);
  host.stop(6000);
  host.fire();
  assert.equal(passed, 0, 'nobody had a chance to meet it');
  about(host.time.nowMs() - beganMs, 400, 'awake so far');
  host.goOn(450);
  assert.equal(passed, 0);
  host.goOn(250);
  assert.equal(passed, 1);
  assert.equal(host.told.length, 1);
  about(host.told[0]?.ms ?? 0, 6000, 'the standstill that is told');
});

test('a host that computed meanwhile did not stand still', (t) => {
  const host = machine(t);
  let passed = 0;
  host.time.after(1000, () => (passed += 1));
  host.stop(6000);
  host.ranMs += 6000;
  host.fire();
  assert.equal(passed, 1);
  assert.deepEqual(host.told, []);
});

test('a gap of less than a second is the slowness that deadlines have to bear', (t) => {
  const host = machine(t);
  const beganMs = host.time.nowMs();
  host.stop(900);
  assert.equal(host.time.nowMs() - beganMs, 900);
  assert.deepEqual(host.told, []);
});

test('a deadline that was cancelled while the process was stopped does not pass later', (t) => {
  const host = machine(t);
  let passed = 0;
  const timer = host.time.after(500, () => (passed += 1));
  host.stop(6000);
  host.fire();
  timer.cancel();
  host.timers.length = 0;
  host.goOn(2000);
  assert.equal(passed, 0);
});

test('instants and durations of cells are told without what the daemon slept through', (t) => {
  const host = machine(t);
  const beforeMs = host.nowMs;
  const awakeBeforeMs = host.time.nowMs();
  host.goOn(200);
  host.stop(5000);
  host.time.nowMs();
  host.goOn(300);
  const cellAtMs = host.nowMs;
  assert.equal(host.time.fromCellMs(beforeMs), awakeBeforeMs);
  assert.equal(host.time.fromCellMs(cellAtMs), host.time.nowMs());
  about(host.time.awakeOf(cellAtMs - beforeMs), 500, 'an event that was executed throughout');
  assert.equal(host.time.awakeOf(20), 20, 'one that was executed since');
  assert.equal(host.time.awakeOf(1500), 1500, 'a cell that counted on by itself and began after it');
  assert.equal(host.time.elapsedMs(awakeBeforeMs), cellAtMs - beforeMs, 'what is shown as a date');
});
