// The soak's own judge of order: it must see what is wrong, or it proves nothing.
import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { OrderRecord } from '../../scripts/soak/record.ts';
import { Random } from '../../scripts/soak/random.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

function entries(...rows: readonly (readonly [n: number, attempt: number])[]): Buffer {
  const buffer = Buffer.alloc(rows.length * 8);
  rows.forEach(([n, attempt], at) => {
    buffer.writeUInt32LE(n, at * 8);
    buffer.writeUInt32LE(attempt, at * 8 + 4);
  });
  return buffer;
}

async function recorded(t: Parameters<typeof temporaryFolder>[0], ...pieces: readonly Buffer[]): Promise<OrderRecord> {
  const path = join(await temporaryFolder(t), 'record');
  const record = new OrderRecord(path);
  t.after(() => record.close());
  for (const piece of pieces) {
    await appendFile(path, piece);
    await record.readOn();
  }
  return record;
}

test('events one after the other, one of them twice at its place, are in order', async (t) => {
  const record = await recorded(t, entries([1, 1], [2, 1], [2, 2]), entries([3, 1], [4, 1]));
  assert.deepEqual([record.fault, record.begun, record.again, record.missing(4)], [undefined, 4, 1, 0]);
});

test('events that were never begun are counted, in the middle and at the end', async (t) => {
  const record = await recorded(t, entries([1, 1], [4, 1]));
  assert.deepEqual([record.fault, record.begun, record.missing(6)], [undefined, 2, 4]);
});

test('an event that comes after a later one, or twice in the same attempt, breaks the order', async (t) => {
  assert.match(
    (await recorded(t, entries([1, 1], [2, 1], [1, 2]))).fault ?? '',
    /event 1, attempt 2, was begun after event 2/,
  );
  assert.match((await recorded(t, entries([1, 1], [1, 1]))).fault ?? '', /event 1, attempt 1, was begun after event 1/);
});

test('half an entry waits for its other half', async (t) => {
  const whole = entries([1, 1], [2, 1]);
  const record = await recorded(t, whole.subarray(0, 11), whole.subarray(11));
  assert.deepEqual([record.fault, record.begun], [undefined, 2]);
});

test('the same seed gives the same chance, whatever other parts do with theirs', () => {
  const [one, two] = [new Random(7), new Random(7)];
  const forks = [one.fork(), two.fork()];
  for (let at = 0; at < 5; at += 1) one.next();
  assert.deepEqual(
    Array.from({ length: 5 }, () => forks[0]?.below(1000)),
    Array.from({ length: 5 }, () => forks[1]?.below(1000)),
  );
});
