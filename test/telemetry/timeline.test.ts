// A plugin's timeline: the newest entries, numbered so that a reader who comes back knows what it missed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { telemetryOperations } from '../../protocol/operations/telemetry.ts';
import { Timeline } from '../../daemon/telemetry/timeline.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

const happening = (message: string) => ({ level: 'info' as const, event: 'running', message, incarnation: 1 });

test('an entry gets the time and the next number, and fits the shape on the wire', () => {
  const clock = new VirtualClock();
  const timeline = new Timeline({ capacity: 10, clock });
  clock.advance(1500);
  const entry = timeline.record({
    ...happening('starting → running'),
    correlationId: 'c-1',
    data: { from: 'starting' },
  });
  assert.deepEqual(entry, {
    at: '2030-01-01T00:00:01.500Z',
    level: 'info',
    event: 'running',
    message: 'starting → running',
    incarnation: 1,
    correlationId: 'c-1',
    sequence: 1,
    data: { from: 'starting' },
  });
  assert.deepEqual(timeline.newest(1), [entry]);
  telemetryOperations['timeline.read'].result.parse(timeline.read(0, 10));
});

test('an empty timeline begins where the first entry will be', () => {
  assert.deepEqual(new Timeline({ capacity: 2, clock: new VirtualClock() }).read(0, 10), {
    entries: [],
    firstSequence: 1,
    nextSequence: 1,
  });
});

test('a full timeline forgets the oldest, and the reader sees from the first sequence what it missed', () => {
  const timeline = new Timeline({ capacity: 3, clock: new VirtualClock() });
  for (let number = 1; number <= 8; number += 1) timeline.record(happening(String(number)));
  const page = timeline.read(2, 2);
  assert.deepEqual(
    page.entries.map(({ message }) => message),
    ['6', '7'],
  );
  assert.equal(page.firstSequence, 6);
  assert.equal(page.nextSequence, 9);
  assert.deepEqual(
    timeline.newest(2).map(({ sequence }) => sequence),
    [7, 8],
  );
  assert.deepEqual(timeline.read(8, 2).entries, []);
  assert.deepEqual(timeline.read(99, 2).entries, []);
});

test('a reader that pages gets every entry that is kept, once and in order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant('record' as const), fc.integer({ min: 1, max: 5 })), { maxLength: 80 }),
      fc.integer({ min: 1, max: 10 }),
      (steps, capacity) => {
        const timeline = new Timeline({ capacity, clock: new VirtualClock() });
        let recorded = 0;
        let after = 0;
        let missed = 0;
        let seen = 0;
        for (const step of steps) {
          if (step === 'record') {
            assert.equal(timeline.record(happening('x')).sequence, (recorded += 1));
            continue;
          }
          const { entries, firstSequence, nextSequence } = timeline.read(after, step);
          assert.equal(nextSequence, recorded + 1);
          assert.ok(entries.length <= step);
          missed += Math.max(0, firstSequence - 1 - after);
          const begin = Math.max(after + 1, firstSequence);
          assert.deepEqual(
            entries.map(({ sequence }) => sequence),
            entries.map((_, index) => begin + index),
          );
          seen += entries.length;
          after = entries.at(-1)?.sequence ?? after;
        }
        seen += timeline.read(after, Infinity).entries.length;
        missed += Math.max(0, timeline.read(after, 1).firstSequence - 1 - after);
        assert.equal(seen + missed, recorded);
      },
    ),
    { numRuns: 500 },
  );
});

test('texts and data of an entry are bounded, whatever they hold', () => {
  const timeline = new Timeline({ capacity: 10, clock: new VirtualClock() });
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  const long = 'x'.repeat(100_000);
  const entries = [
    timeline.record({
      level: 'error',
      event: long,
      message: long,
      incarnation: 1,
      correlationId: long,
      data: { code: 'cell_crashed', stack: long, nested: { deep: long }, count: 3, ['k'.repeat(9000)]: 1 },
    }),
    timeline.record({ ...happening('circular'), data: circular }),
    timeline.record({ ...happening('not JSON'), data: { big: 10n } }),
    timeline.record({
      ...happening('many'),
      data: Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`key${String(index)}`, index])),
    }),
  ];
  for (const entry of entries) assert.ok(JSON.stringify(entry).length < 8000, entry.message.slice(0, 20));
  assert.equal(entries[0]?.data?.['code'], 'cell_crashed');
  assert.equal(entries[0]?.data?.['count'], 3);
  assert.deepEqual(entries[1]?.data, { unreadable: true });
});

test('an entry keeps what it was told, also when the teller changes its object afterwards', () => {
  const timeline = new Timeline({ capacity: 10, clock: new VirtualClock() });
  const data = { list: [1] };
  timeline.record({ ...happening('x'), data });
  data.list.push(2);
  assert.deepEqual(timeline.newest(1)[0]?.data, { list: [1] });
});
