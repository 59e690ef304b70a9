// What becomes of a run when its thread is through with it: the port of a new thread may be heard of later than that.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { PooledRun } from '../../daemon/tools/pools/pooled/pooled-run.ts';
import type { RunEnd } from '../../daemon/tools/pools/tool-pool.ts';
import type { ToolAnswer } from '../../protocol/cell/tool-messages.ts';
import { ToolTray } from '../../protocol/cell/tool-tray.ts';

const failed: ToolAnswer = { ok: false, error: { code: 'tool_failed', message: 'no', details: {} }, durationMs: 1 };

function lab(drain: (run: PooledRun) => void = () => undefined): {
  run: PooledRun;
  cell: ToolTray;
  told: (number | RunEnd['kind'])[];
  end: () => RunEnd | undefined;
} {
  const tray = new ToolTray(0);
  const told: (number | RunEnd['kind'])[] = [];
  let end: RunEnd | undefined;
  const run = new PooledRun(
    [{ call: 7, tool: 'odd', inputJson: 'null' }],
    { tray, known: true },
    {
      seatOf: () => undefined,
      drain: () => drain(run),
      locate: () => Promise.resolve({ kind: 'unknown', frames: [] }),
      complete: true,
      forget: () => undefined,
    },
    {
      answered: (call) => void told.push(call),
      progressed: () => undefined,
      ended: (how) => {
        end = how;
        told.push(how.kind);
      },
    },
  );
  const cell = new ToolTray(0, tray.buffer);
  assert.equal(cell.begin(0), true);
  cell.pass(0);
  return { run, cell, told, end: () => end };
}

test('an answer that is heard within the turn in which its run is finished counts', async () => {
  const { run, told } = lab();
  run.finished();
  assert.deepEqual(told, []);
  run.answered(7, failed);
  await turn();
  assert.deepEqual(told, [7, 'over']);
});

test('where none is heard the call is told so, once', async () => {
  const { run, told, end } = lab();
  run.finished();
  await turn();
  assert.deepEqual(told, ['crashed']);
  assert.match(JSON.stringify(end()), /the thread gave no answer/);
  run.answered(7, failed);
  assert.deepEqual(told, ['crashed']);
});

test('a run that is ended meanwhile is not ended again', async () => {
  const { run, told } = lab();
  run.finished();
  run.kill();
  await turn();
  assert.deepEqual(told, ['killed']);
});

test('a run whose answer was there and not read yet is not taken for stalled', () => {
  const { run, told } = lab((heard) => heard.answered(7, failed));
  run.retract();
  assert.deepEqual(told, [7]);
});

test('a run that has something else to do than its calls is taken back', () => {
  const { run, told } = lab();
  run.retract();
  assert.equal(told.length, 1);
});
