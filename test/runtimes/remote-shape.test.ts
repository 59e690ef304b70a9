// What the thread of remote daemons holds answers against says the same as the schemas that it is made of.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { remoteRows, shapeOf } from '../../daemon/runtimes/remote/remote-rows.ts';
import type { Shape } from '../../protocol/remote/messages.ts';
import { itemStatus, transcriptItem, workerEvent } from '../../protocol/runtime.ts';
import { fitted } from '../../workers/remote/shape.ts';

const words: ReadonlySet<string> = new Set<string>([
  ...(['type', 'properties', 'required', 'items', 'oneOf', 'enum', 'const', 'minimum', 'maximum', 'pattern'] as const),
  // These allow nothing and refuse nothing: a format stands beside its pattern.
  ...['$schema', 'description', 'format'],
]);

function unknownWords(shape: Shape): string[] {
  const inner = [
    ...Object.values(shape.properties ?? {}),
    ...(shape.oneOf ?? []),
    ...(shape.items ? [shape.items] : []),
  ];
  const own = Object.keys(shape).filter((word) => !words.has(word));
  return [...own, ...inner.flatMap(unknownWords)];
}

test('the shapes use no word that the thread does not know', () => {
  const { rows, event } = remoteRows();
  assert.deepEqual([...Object.values(rows).map(({ result }) => result), event].flatMap(unknownWords), []);
});

const at = '2026-11-30T12:00:00.000Z';
const item = { sequence: 1, role: 'user', content: 'hello', eventId: 'e', createdAt: at };

test('a value fits where it fits the schema, and keeps the same of it', () => {
  const values: unknown[] = [
    item,
    { ...item, status: 'done', truncated: true, further: { a: 1 } },
    { ...item, status: 'unknown' },
    { ...item, status: undefined },
    { ...item, sequence: -1 },
    { ...item, sequence: 1.5 },
    { ...item, sequence: 2 ** 60 },
    { ...item, sequence: '1' },
    { ...item, createdAt: 'yesterday' },
    { ...item, content: null },
    { ...item, __proto__: null },
    {},
    [],
    null,
    'text',
    7,
  ];
  for (const value of values.map((each): unknown => JSON.parse(JSON.stringify(each)))) {
    const wanted = transcriptItem.safeParse(value);
    const found = fitted(shapeOf(transcriptItem), value);
    assert.equal(found.ok, wanted.success, JSON.stringify(value));
    if (found.ok) assert.deepEqual(found.value, wanted.data);
  }
});

test('so it is with one of several, and with a list', () => {
  const events: unknown[] = [
    { type: 'item', at, cursor: 'c', item },
    { type: 'item', at, cursor: 'c', item: { ...item, role: 'nobody' } },
    { type: 'state', at, cursor: 'c', state: 'idle', more: 1 },
    { type: 'state', at, cursor: null, state: 'idle' },
    { type: 'diagnostic', at, cursor: null, code: 'cursor_expired', message: 'm' },
    { type: 'other', at, cursor: 'c' },
    { at, cursor: 'c' },
  ];
  for (const value of events) {
    const wanted = workerEvent.safeParse(value);
    const found = fitted(shapeOf(workerEvent), value);
    assert.equal(found.ok, wanted.success, JSON.stringify(value));
    if (found.ok) assert.deepEqual(found.value, wanted.data);
  }
  const list = shapeOf(itemStatus.array());
  assert.deepEqual(
    [fitted(list, ['done', 'partial']).ok, fitted(list, ['done', 1]).ok, fitted(list, {}).ok],
    [true, false, false],
  );
});
