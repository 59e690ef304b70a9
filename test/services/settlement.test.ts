// Events with effects have their outcome once the effects are committed, in the order in which they were handled.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import { put } from '../../protocol/store/change.ts';
import type { QueuedEvent } from '../../daemon/dispatch/queued-event.ts';
import { Settlement } from '../../daemon/services/settlement.ts';

const head = { ingress: 'in', kind: 'do', source: 'test', createdAt: '2026-01-01T00:00:00.000Z' };
const event = (eventId: string, more: Partial<QueuedEvent> = {}): QueuedEvent => ({
  head,
  payload: '{}',
  eventId,
  correlationId: eventId,
  attempt: 1,
  bytes: 100,
  acceptedMs: 0,
  story: [],
  place: 1,
  ...more,
});
const effects = [put('state', 'key', 'value')];
/** What was started by a promise that is settled has run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function trial() {
  const commits: { readonly done: () => void; readonly fail: () => void }[] = [];
  const told: string[] = [];
  const settlement = new Settlement({
    commit: () =>
      new Promise((resolve, reject) => {
        commits.push({ done: resolve, fail: () => reject(new HostError('storage_full', 'There is no room.')) });
      }),
    failed: (incarnation, error) => void told.push(`failed ${String(incarnation)} ${error.code}`),
    pause: (paused) => void told.push(paused ? 'paused' : 'goes on'),
  });
  const settle = (id: string, changes = effects, incarnation = 1, more: Partial<QueuedEvent> = {}): void =>
    settlement.settle(
      event(id, more),
      incarnation,
      changes,
      () => void told.push(id),
      () => void told.push(`dropped ${id}`),
    );
  return { settlement, settle, told, commits };
}

test('an event without effects is concluded at once', () => {
  const { settle, told, settlement } = trial();
  settle('a', []);
  assert.deepEqual(told, ['a']);
  assert.equal(settlement.waiting, 0);
});

test('events behind one whose effects are not committed wait for it', async () => {
  const { settle, told, commits, settlement } = trial();
  settle('a');
  settle('b', []);
  settle('c');
  commits[1]?.done();
  await turn();
  assert.deepEqual(told, []);
  assert.equal(settlement.waiting, 3);
  commits[0]?.done();
  await settlement.empty();
  assert.deepEqual(told, ['a', 'b', 'c']);
});

test('a commit that fails ends the incarnation, and its event comes again with all behind it', async () => {
  const { settle, told, commits, settlement } = trial();
  settle('a');
  settle('b');
  settle('c', []);
  commits[0]?.done();
  commits[1]?.fail();
  await turn();
  settle('d', []);
  assert.deepEqual(told, ['a', 'dropped b', 'dropped c', 'failed 1 storage_full', 'dropped d']);
  assert.equal(settlement.waiting, 3);
  assert.deepEqual(
    settlement.takeAgain(1).map(({ eventId }) => eventId),
    ['b', 'c', 'd'],
  );
  settle('b', [], 2);
  assert.deepEqual(told.slice(5), ['b']);
});

test('an event that is not stored waits for its effects like any other, also when its caller has gone', async () => {
  const { settle, told, commits, settlement } = trial();
  settle('a', effects, 1, { place: undefined });
  assert.deepEqual(told, []);
  commits[0]?.fail();
  await turn();
  assert.deepEqual(told, ['dropped a', 'failed 1 storage_full']);
  assert.deepEqual(
    settlement.takeAgain(1).map(({ eventId }) => eventId),
    ['a'],
  );
});

test('no more events begin while many wait for the disk', async () => {
  const { settle, told, commits, settlement } = trial();
  for (let count = 0; count < 1024; count += 1) settle('x');
  assert.deepEqual(told, ['paused']);
  for (const { done } of commits) done();
  await settlement.empty();
  assert.ok(told.includes('goes on'));
});
