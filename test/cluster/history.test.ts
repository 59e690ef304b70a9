// The checker of histories finds what a broken cluster would have written.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HistoryLine, violations } from '../labs/cluster-history.ts';

const service = 'a';
const accepted = (n: number): HistoryLine => ({ what: 'accepted', service, n });
const committed = (tenure: string, n: number, order: number): HistoryLine => ({
  what: 'committed',
  service,
  tenure,
  n,
  order,
});

const sound: readonly HistoryLine[] = [
  accepted(1),
  accepted(2),
  accepted(3),
  committed('one/1', 1, 1),
  committed('two/1', 2, 2),
  committed('one/2', 3, 3),
];

test('a sound history has no violation', () => {
  assert.deepEqual(violations(sound), []);
});

test('an accepted event without an effect is found', () => {
  assert.deepEqual(violations([...sound, accepted(4)]), ['a: the event 4 was accepted and has no effect']);
});

test('an effect that took place twice is found', () => {
  assert.deepEqual(violations([...sound, committed('one/2', 2, 4)]), ['a: the event 2 has had its effect twice']);
});

test('two changes in one place are found', () => {
  assert.deepEqual(violations([...sound, committed('one/2', 4, 3)]), ['a: two events are the change 3']);
});

test('a commit of an instance that was taken over from is found', () => {
  assert.deepEqual(violations([...sound, committed('two/1', 4, 4)]), [
    'a: two/1 committed the event 4 after another instance had taken over',
  ]);
});

const sent = (n: number, key = `e${String(n)}/1`): HistoryLine => ({ what: 'sent', service, n, key });
const withCommands = [...sound, sent(1), sent(2), sent(2), sent(3)];

test('a history with commands has no violation, also where one arrived twice', () => {
  assert.deepEqual(violations(withCommands), []);
});

test('a command that never arrived is found', () => {
  assert.deepEqual(violations(withCommands.slice(0, -1)), ['a: the command of the event 3 never arrived']);
});

test('a command of an event without an effect is found', () => {
  assert.deepEqual(violations([...withCommands, sent(4)]), [
    'a: a command of the event 4 arrived, which has no effect',
  ]);
});

test('a command under two keys is found', () => {
  assert.deepEqual(violations([...withCommands, sent(3, 'other/1')]), ['a: the command of the event 3 has two keys']);
});

const keyed = (n: number, beganMs: number, toldMs: number, key = 'k'): HistoryLine => ({
  what: 'accepted',
  service,
  n,
  ordered: { key, beganMs, toldMs },
});

test('events of one key out of order are found, and those that were published side by side are not', () => {
  const inPlace = [committed('one/1', 2, 1), committed('one/1', 1, 2)];
  assert.deepEqual(violations([keyed(1, 0, 10), keyed(2, 11, 20), ...inPlace]), [
    'a: the event 1 of the key k had its effect behind the later event 2',
  ]);
  assert.deepEqual(violations([keyed(1, 0, 10), keyed(2, 5, 20), ...inPlace]), []);
  assert.deepEqual(violations([keyed(1, 0, 10), keyed(2, 11, 20, 'other'), ...inPlace]), []);
});

const handled = (what: 'began' | 'ended', tenure: string, n: number): HistoryLine => ({ what, service, tenure, n });
const whole = (tenure: string, n: number): HistoryLine[] => [handled('began', tenure, n), handled('ended', tenure, n)];
const withHandlers = [...sound, ...whole('one/1', 1), ...whole('two/1', 2), ...whole('one/2', 3)];

test('a history with handlers has no violation, also where one of them was cut off', () => {
  assert.deepEqual(violations([...withHandlers, handled('began', 'one/2', 4), handled('began', 'two/2', 4)]), []);
});

test('two events at once in one instance are found', () => {
  assert.deepEqual(violations([...withHandlers, handled('began', 'one/2', 4), handled('began', 'one/2', 5)]), [
    'a: one/2 began the event 5 while the event 4 ran',
  ]);
});

test('an end without a beginning is found', () => {
  assert.deepEqual(violations([...withHandlers, handled('ended', 'one/2', 4)]), [
    'a: one/2 ended the event 4, which did not run there',
  ]);
});

test('a commit without the end of its handler is found', () => {
  assert.deepEqual(violations([...withHandlers, handled('began', 'one/2', 4), committed('one/2', 4, 4)]), [
    'a: one/2 committed the event 4, whose handler did not end there',
  ]);
});

const granted = (tenure: string, fence: number): HistoryLine => ({ what: 'granted', service, tenure, fence });

test('fencing numbers that rise have no violation, also where one was not seen', () => {
  assert.deepEqual(violations([...sound, granted('one/1', 3), granted('one/1', 3), granted('one/2', 9)]), []);
});

test('a commit under a lower number than before is found', () => {
  assert.deepEqual(violations([...sound, granted('one/1', 3), granted('two/1', 5), granted('one/2', 4)]), [
    'a: one/2 committed the event 3 under 4, after 5',
  ]);
});

test('an instance under two numbers is found', () => {
  assert.deepEqual(violations([...sound, granted('one/1', 3), granted('one/1', 4)]), [
    'a: one/1 acted under 3 and under 4',
  ]);
});
