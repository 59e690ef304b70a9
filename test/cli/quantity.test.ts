// Figures as a person reads them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesText, timeText, durationText, plural, rateText } from '../../daemon/cli/views/quantity.ts';

test('durations keep two figures and the unit that suits them', () => {
  assert.deepEqual([0, 0.0123, 1.26, 12.6, 999, 1500, 59_400, 61_000, 3_700_000, 200_000_000].map(durationText), [
    '0 ms',
    '0.012 ms',
    '1.3 ms',
    '13 ms',
    '999 ms',
    '1.5 s',
    '59 s',
    '1 min 1 s',
    '1 h 1 min',
    '2 d 7 h',
  ]);
});

test('bytes, rates and counts', () => {
  assert.deepEqual([0, 1023, 1024, 1_500_000, 5 * 1024 ** 4].map(bytesText), [
    '0 bytes',
    '1020 bytes',
    '1 KiB',
    '1.43 MiB',
    '5 TiB',
  ]);
  assert.deepEqual([0, 0.25, 42.4, 770_000].map(rateText), ['0/s', '0.3/s', '42/s', '770k/s']);
  assert.deepEqual(
    [plural(1, 'event'), plural(2, 'event'), plural(0, 'entry', 'entries')],
    ['1 event', '2 events', '0 entries'],
  );
});

test('an instant of the wire is shown as a clock time, and what is none as it is', () => {
  assert.match(timeText('2026-01-02T03:04:05.678Z'), /^2026-01-0\d \d\d:\d\d:05\.678$/);
  assert.equal(timeText('not a time'), 'not a time');
});
