// What the cell knows of partitions: which one an event belongs to, and what ctx.state is for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchEvents, BatchText } from '../../protocol/cell/batch.ts';
import { CellState, StateDraft, StateView } from '../../workers/cell-state.ts';

const head = { ingress: 'numbers', kind: 'number', source: 'client', createdAt: '2026-01-01T00:00:00.000Z' };

test('each event of a batch says its partition, and one of a service that is not shared says none', () => {
  const text = new BatchText();
  for (const [eventId, partition] of [
    ['a', 3],
    ['b', 3],
    ['c', 0],
    ['d', undefined],
  ] as const)
    text.add({ head, attempt: 1, eventId, correlationId: `${eventId}${eventId}`, payload: '1', partition });
  const events = new BatchEvents(JSON.parse(text.toString()));
  const found = [0, 1, 2, 3].map(() => [events.next().eventId, events.partition]);
  assert.deepEqual(found, [
    ['a', 3],
    ['b', 3],
    ['c', 0],
    ['d', undefined],
  ]);
});

test('an event sees the state of its partition alone, and each partition has the whole bound', () => {
  const state = new CellState(60);
  state.replace(JSON.stringify({ '1/count': 4, '2/count': 7, '12/count': 9 }));
  const views = [1, 2, 12, 3].map((partition) => {
    const draft = new StateDraft(state.of(partition));
    return { draft, view: new StateView(() => draft) };
  });
  assert.deepEqual(
    views.map(({ view }) => [view.keys(), view.get('count')]),
    [
      [['count'], 4],
      [['count'], 7],
      [['count'], 9],
      [[], undefined],
    ],
  );
  for (const { view } of views) view.set('text', 'x'.repeat(30));
  assert.throws(() => views[0]?.view.set('more', 'x'.repeat(30)), { code: 'state_too_large' });
  assert.deepEqual(views[1]?.draft.changes, ['text', JSON.stringify('x'.repeat(30))]);
});

test('what the host says of the state later is in place of what the partitions had', () => {
  const state = new CellState(1000);
  state.replace('{"1/a":1}');
  assert.equal(state.of(1).text('a'), '1');
  state.replace('{"1/a":2}');
  assert.equal(state.of(1).text('a'), '2');
});
