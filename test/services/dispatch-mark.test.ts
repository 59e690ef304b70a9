// How far a queue was given to a cell is noted on disk, also where the disk is full by then: on a small file system
// that is filled, where one may be mounted.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SmallDisk, canMount } from '../../scripts/soak/small-disk.ts';
import type { QueuedEvent } from '../../daemon/dispatch/queued-event.ts';
import { DispatchMark } from '../../daemon/services/durable/dispatch-mark.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

const eventsAt = (...places: readonly number[]): QueuedEvent[] =>
  places.map((place) => ({ place, attempt: 1 }) as QueuedEvent);

const notMoved = (): boolean => false;

function begunMark(t: TestContext, path: string, generation: number): { mark: DispatchMark; troubles: Error[] } {
  const troubles: Error[] = [];
  const mark = new DispatchMark(path, (error) => troubles.push(error));
  t.after(() => mark.close());
  mark.begin(generation);
  return { mark, troubles };
}

test('a mark of a later generation replaces the one before, and what stood there counts for nothing', async (t) => {
  const path = join(await temporaryFolder(t), 'dispatched', 'a.plugin');
  const first = begunMark(t, path, 1);
  assert.equal(first.mark.reserve(), undefined);
  first.mark.sent(eventsAt(1, 2, 3), (place) => place === 2, 0);
  assert.deepEqual(DispatchMark.read(path), { generation: 1, upTo: 3, done: 0, moved: new Map([[2, 1]]) });
  const { ino, size } = statSync(path);
  const second = begunMark(t, path, 2);
  assert.equal(second.mark.reserve(), undefined);
  assert.deepEqual(DispatchMark.read(path), { generation: 2, upTo: 0, done: 0, moved: new Map() });
  second.mark.sent(eventsAt(4), notMoved, 3);
  assert.deepEqual(DispatchMark.read(path), { generation: 2, upTo: 4, done: 3, moved: new Map() });
  const after = statSync(path);
  assert.deepEqual([after.ino, after.size], [ino, size], 'it lies where the one before lay');
});

test('nothing is accepted that could not be noted, and what is accepted is noted on a full disk', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nagaya-small-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  if (!canMount(join(folder, 'trial'))) {
    remove();
    t.skip('no small file system can be mounted here');
    return;
  }
  const disk = new SmallDisk(join(folder, 'small'));
  t.after(() => {
    disk.end();
    remove();
  });
  const path = join(folder, 'small', 'dispatched', 'a.plugin');
  const { mark, troubles } = begunMark(t, path, 1);
  disk.fill();
  assert.equal(mark.reserve()?.code, 'storage_full');
  disk.release();
  assert.equal(mark.reserve(), undefined);
  disk.fill();
  mark.sent(eventsAt(1, 2), notMoved, 0);
  assert.equal(DispatchMark.read(path)?.upTo, 2);
  mark.close();
  // The daemon after it, which finds the disk full.
  const next = begunMark(t, path, 2);
  next.mark.sent(eventsAt(3), notMoved, 2);
  assert.deepEqual([DispatchMark.read(path)?.generation, DispatchMark.read(path)?.upTo], [2, 3]);
  assert.deepEqual([...troubles, ...next.troubles], []);
});
