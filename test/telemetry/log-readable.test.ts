// A log line on a terminal: nothing a plugin wrote may act on the terminal or pass for another line.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LogLine } from '../../protocol/operations/telemetry.ts';
import { readableLine } from '../../daemon/telemetry/readable-line.ts';

// Times are shown in the zone of whoever reads them.
process.env['TZ'] = 'Asia/Tokyo';

const line = (msg: string, more: Record<string, unknown> = {}): LogLine => ({
  level: 'info',
  time: '2030-01-01T12:34:56.789Z',
  msg,
  ...more,
});

test('time, level, plugin, message and fields stand on one line', () => {
  assert.equal(
    readableLine(
      line('hello there', { plugin: 'one', n: 1, text: 'a', odd: 'a b', none: undefined, nothing: null, empty: '' }),
      false,
    ),
    '2030-01-01 21:34:56.789 INFO  one hello there n=1 text=a odd="a b" nothing=null empty=""\n',
  );
  assert.equal(readableLine({ ...line('x'), level: 'warn' }, false), '2030-01-01 21:34:56.789 WARN  x\n');
});

test('further lines of a message and the stack of an error stand indented below', () => {
  const error = { type: 'Error', message: 'broken', stack: 'Error: broken\n    at a.js:1' };
  assert.equal(
    readableLine(line('one\ntwo', { err: error, n: 1 }), false),
    '2030-01-01 21:34:56.789 INFO  one err="broken" n=1\n    two\n    Error: broken\n        at a.js:1\n',
  );
  assert.equal(readableLine(line('x', { err: 'a text' }), false), '2030-01-01 21:34:56.789 INFO  x err="a text"\n');
});

test('colours mark level and time, and only where they are wanted', () => {
  const coloured = readableLine({ ...line('x'), level: 'error' }, true);
  assert.match(coloured, /\u001b\[31mERROR\u001b\[0m x/);
  assert.ok(!readableLine({ ...line('x'), level: 'error' }, false).includes('\u001b'));
});

test('no text of a line can act on a terminal or begin a line of its own', () => {
  const acting = fc.constantFrom(
    '\u001b[2J',
    '\u001b]0;x\u0007',
    '\r',
    '\n',
    '\b',
    '\u0000',
    '\u007f',
    '\u009b31m',
    '\u202e',
    '\u2066',
    '\u2028',
    '\t',
    'a',
  );
  const nasty = fc.oneof(fc.string({ unit: acting, maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 5 }));
  fc.assert(
    fc.property(nasty, nasty, nasty, nasty, (msg, name, value, plugin) => {
      const shown = readableLine(
        line(msg, { plugin, level: value, time: value, [`k${name}`]: value, err: { stack: msg, message: name } }),
        false,
      );
      assert.ok(shown.endsWith('\n'));
      assert.doesNotMatch(shown, /(?![\n\t])[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
      for (const below of shown.slice(0, -1).split('\n').slice(1)) assert.ok(below.startsWith('    '));
    }),
    { numRuns: 300 },
  );
});
