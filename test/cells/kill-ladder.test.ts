// The kill ladder gives up on a cell that does not end, and on none that has: a cell's last word may be read only after
// its end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { KillLadder } from '../../daemon/cells/kill-ladder.ts';

function climbed(): { ladder: KillLadder; told: string[] } {
  const told: string[] = [];
  const ladder = new KillLadder(
    { abortGraceMs: 5, killMs: 20 },
    {
      abort: () => void told.push('abort'),
      terminate: () => void told.push('terminate'),
      giveUp: () => void told.push('giveUp'),
    },
  );
  return { ladder, told };
}

test('each rung is taken in its time', async () => {
  const { ladder, told } = climbed();
  ladder.climb('x');
  ladder.climb('again');
  while (!told.includes('giveUp')) await sleep(5);
  assert.deepEqual(told, ['abort', 'terminate', 'giveUp']);
});

test('a cell that is gone as soon as it is told to end is not given up', async () => {
  const told: string[] = [];
  const ladder: KillLadder = new KillLadder(
    { abortGraceMs: 5, killMs: 20 },
    { abort: () => undefined, terminate: () => ladder.stop(), giveUp: () => void told.push('giveUp') },
  );
  ladder.terminate();
  await sleep(60);
  assert.deepEqual(told, []);
});

test('nothing begins once the cell is gone', async () => {
  const { ladder, told } = climbed();
  ladder.stop();
  ladder.terminate();
  ladder.climb('x');
  await sleep(60);
  assert.deepEqual(told, []);
});
