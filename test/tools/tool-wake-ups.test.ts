// Calls that come together go to as few threads as get them done soon: to wake a thread costs more than a quick call.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PendingCall } from '../../daemon/tools/pending-call.ts';
import type { PoolRun, RunListener, ToolPool } from '../../daemon/tools/pools/tool-pool.ts';
import { ToolCalls } from '../../daemon/tools/tool-calls.ts';
import { ToolLane } from '../../daemon/tools/tool-lane.ts';
import { Deadlines } from '../../daemon/time/deadlines.ts';
import type { HostError } from '../../protocol/errors.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

interface Run {
  readonly calls: readonly number[];
  answer(durationMs: number): void;
}

/** A lane whose pool only notes what it is given. */
async function lane(
  threads: number,
): Promise<{
  readonly runs: Run[];
  together(count: number, tool?: string): AbortController[];
  readonly outcomes: Map<number, unknown>;
}> {
  const clock = new VirtualClock();
  const runs: Run[] = [];
  const outcomes = new Map<number, unknown>();
  const idle: Omit<PoolRun, 'startedMs'> = {
    phaseOf: () => 'queued',
    beganMsOf: () => undefined,
    abort: () => undefined,
    kill: () => undefined,
    locate: () => Promise.resolve({ kind: 'unknown', frames: [] }),
  };
  const pool: ToolPool = {
    callsAtOnce: 32,
    cells: 0,
    livingCells: 0,
    leftBehind: 0,
    close: () => Promise.resolve(),
    run(tasks, listener: RunListener) {
      const calls = tasks.map(({ call }) => call);
      runs.push({
        calls,
        answer: (durationMs) => {
          for (const call of calls) listener.answered(call, { ok: true, json: '1', durationMs });
          listener.ended({ kind: 'over' });
        },
      });
      return { ...idle, startedMs: undefined };
    },
  };
  const subject = new ToolLane({
    clock,
    threads,
    abortGraceMs: 10,
    held: false,
    mayWait: () => true,
    makePool: () => Promise.resolve(pool),
  });
  let number = 0;
  const add = (tool: string): AbortController => {
    const call = (number += 1);
    const controller = new AbortController();
    const pending: PendingCall = new PendingCall(
      {
        task: { call, tool, inputJson: '1' },
        arrival: call,
        timeoutMs: 60_000,
        signal: controller.signal,
        waiter: { succeeded: () => undefined, failed: () => undefined },
      },
      {
        clock,
        deadlines: new Deadlines(clock),
        isolation: 'pooled',
        startMs: 60_000,
        answered: (_call, outcome) => outcomes.set(call, (outcome as HostError).code ?? 'answered'),
        givenUp: (given, reason) => subject.giveUp(given, reason),
      },
    );
    subject.add(pending);
    return controller;
  };
  const together = (count: number, tool = 'go'): AbortController[] => {
    const all = Array.from({ length: count }, () => add(tool));
    clock.advance(0);
    return all;
  };
  // The first call makes the pool.
  together(1);
  await new Promise((resolve) => setImmediate(resolve));
  return { runs, together, outcomes };
}

test('quick calls that come together wake one thread, and slow ones as many as there are', async () => {
  const { runs, together, outcomes } = await lane(4);
  runs.shift()?.answer(0.005);
  together(16);
  assert.deepEqual(
    runs.map(({ calls }) => calls.length),
    [16],
  );
  runs.shift()?.answer(0.005);
  together(30);
  assert.deepEqual(
    runs.map(({ calls }) => calls.length),
    [15, 15],
    'two are needed, and have the same',
  );
  assert.deepEqual(
    runs.flatMap(({ calls }) => calls).sort((one, other) => one - other),
    Array.from({ length: 30 }, (_, at) => at + 18),
    'each of them once',
  );
  for (const run of runs.splice(0)) run.answer(50);
  for (let slow = 0; slow < 20; slow += 1) {
    together(1);
    runs.shift()?.answer(50);
  }
  together(4);
  assert.deepEqual(
    runs.map(({ calls }) => calls.length),
    [1, 1, 1, 1],
  );
  for (const run of runs.splice(0)) run.answer(50);
  assert.equal([...outcomes.values()].filter((outcome) => outcome === 'answered').length, 1 + 16 + 30 + 20 + 4);
});

test('each tool has a thread of its own, however quick its calls are', async () => {
  const { runs, together } = await lane(4);
  runs.shift()?.answer(0.005);
  together(1, 'other');
  runs.shift()?.answer(0.005);
  together(2, 'go');
  together(2, 'other');
  assert.deepEqual(
    runs.map(({ calls }) => calls.length),
    [2, 2],
  );
});

test('the name of a call that is over leaves nothing to the next call that has it', () => {
  const calls = new ToolCalls();
  const caller = new AbortController();
  const first = calls.begin('one', caller.signal);
  first.end();
  first.end();
  const second = calls.begin('two', caller.signal);
  const third = calls.begin('three', caller.signal);
  assert.notEqual(second.signal, third.signal, 'no two calls have one signal');
  assert.equal(calls.cancel('two'), true);
  assert.deepEqual([second.signal.aborted, third.signal.aborted], [true, false]);
  second.end();
  assert.equal(calls.begin('four', caller.signal).signal.aborted, false);
});
