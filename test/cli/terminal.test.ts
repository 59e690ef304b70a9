// What reaches a person's screen: aligned, cut to it, and free of everything a plugin could act on a terminal with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { listText, table } from '../../daemon/cli/views/table.ts';
import {
  type Piece,
  type ScreenStream,
  Terminal,
  cut,
  pieceText,
  printable,
  styled,
  wantsColor,
} from '../../daemon/cli/views/terminal.ts';

class Screen implements ScreenStream {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 40;
  readonly rows = 10;

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.text += text;
  }
}

function terminalWith(options: { tty?: boolean; json?: boolean; env?: Record<string, string> } = {}): {
  terminal: Terminal;
  out: Screen;
  err: Screen;
} {
  const out = new Screen(options.tty ?? false);
  const err = new Screen(options.tty ?? false);
  return { terminal: new Terminal({ out, err, env: options.env ?? {}, json: options.json ?? false }), out, err };
}

/** The control characters that stand for themselves: everything else in C0, DEL and C1 acts on a terminal. */
const acting = /(?!\n)\p{Cc}|\p{Bidi_Control}/u;

test('a text of a plugin cannot colour, move, retitle or reorder what an operator sees', () => {
  assert.equal(printable('\u001b[31mred\u001b[0m'), 'red');
  assert.equal(printable('\u001b]0;owned\u0007title'), 'title');
  assert.equal(printable('a\rb\bc\u0007d\u009b2Je\u202ef'), 'abcdef');
});

test('whatever is written as a line stays one line and acts on nothing', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\u001b[2J', '\n', '\r\n', '\u009b31m')), {
        maxLength: 8,
      }),
      (pieces) => {
        const { terminal, out } = terminalWith();
        terminal.line(...pieces);
        assert.equal(out.text.indexOf('\n'), out.text.length - 1);
        assert.doesNotMatch(out.text.slice(0, -1), acting);
      },
    ),
  );
});

test('any table, redrawn or printed, holds one line a row and no control character but its own', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), { maxLength: 6 }),
      (rows) => {
        const lines = table(['ONE', 'OTHER'], rows);
        assert.equal(lines.length, rows.length + 1);
        for (const line of lines) assert.doesNotMatch(line.map(pieceText).join(''), /\p{Cc}/u);
      },
    ),
  );
});

test('JSON for programs says the same and holds no control character of its own either', () => {
  const value = { text: 'bell \u0007, csi \u009b2J, turned \u202e, line\nend' };
  const { terminal, out } = terminalWith({ json: true });
  terminal.document(value);
  assert.deepEqual(JSON.parse(out.text), value);
  assert.doesNotMatch(out.text.trimEnd(), acting);
});

test('colour is for terminals, NO_COLOR takes it away and FORCE_COLOR brings it', () => {
  const tty = { write: () => true, isTTY: true };
  const pipe = { write: () => true };
  assert.equal(wantsColor(tty, {}), true);
  assert.equal(wantsColor(pipe, {}), false);
  assert.equal(wantsColor(tty, { NO_COLOR: '1' }), false);
  assert.equal(wantsColor(tty, { NO_COLOR: '' }), true);
  assert.equal(wantsColor(tty, { TERM: 'dumb' }), false);
  assert.equal(wantsColor(pipe, { FORCE_COLOR: '1', NO_COLOR: '1' }), true);
  assert.equal(wantsColor(tty, { FORCE_COLOR: '0' }), false);
  const { terminal, out } = terminalWith({ tty: true });
  terminal.line(styled('red', 'danger'), ' plain');
  assert.equal(out.text, '\u001b[31mdanger\u001b[0m plain\n');
});

test('remarks for people are left out where a program reads', () => {
  const { terminal, out, err } = terminalWith({ json: true });
  terminal.note('by the way');
  assert.equal(err.text, '');
  terminal.answer({ a: 1 }, () => assert.fail('a view is for people'));
  assert.equal(out.text, '{"a":1}\n');
});

test('columns are as wide as their widest cell, whatever its style', () => {
  const lines = table(
    ['ID', 'STATE'],
    [
      ['a', styled('green', 'running')],
      ['longer', '-'],
    ],
  );
  assert.deepEqual(
    lines.map((line) => line.map(pieceText).join('').trimEnd()),
    ['ID      STATE', 'a       running', 'longer  -'],
  );
});

test('a frame is redrawn in place, cut to the screen in both directions', () => {
  const { terminal, out } = terminalWith({ tty: true });
  const frame: Piece[][] = Array.from({ length: 30 }, (_, row) => [`row ${String(row)} `, 'x'.repeat(100)]);
  const height = terminal.redraw(frame, 0);
  assert.equal(height, 9);
  const drawn = out.text.split('\n');
  assert.match(drawn[0] ?? '', /^row 0 x+…/);
  assert.match(drawn[8] ?? '', /22 more lines/);
  out.text = '';
  terminal.redraw([['short']], height);
  assert.equal(out.text, '\u001b[9Ashort\u001b[K\n\u001b[J');
});

test('a cut line never exceeds the width and keeps its styles', () => {
  assert.deepEqual(cut(['abc', styled('red', 'defgh')], 6), ['abc', styled('red', 'de…')]);
  assert.deepEqual(cut(['abc'], 3), ['abc']);
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.nat(20), (pieces, width) => {
      assert.ok([...cut(pieces, width).map(pieceText).join('')].length <= width);
    }),
  );
});

test('a long list of names in a table is cut, and says how many more there are', () => {
  assert.equal(listText([]), '-');
  assert.equal(listText(['one', 'two']), 'one, two');
  assert.equal(listText(Array.from({ length: 40 }, () => 'seven77')), `${'seven77, '.repeat(5)}seven77 and 34 more`);
  assert.equal(listText(['x'.repeat(100), 'y']), `${'x'.repeat(100)} and 1 more`);
});
