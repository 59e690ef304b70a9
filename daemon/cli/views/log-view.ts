// One line of a log for a person: time, level, what was written, then the fields that are left.
import { isFields } from '../../../protocol/fields.ts';
import type { LogLine } from '../../../protocol/operations/telemetry.ts';
import { timeText } from './quantity.ts';
import { type Piece, type Style, printable, styled } from './terminal.ts';

const levelStyles: Readonly<Record<string, Style>> = {
  trace: 'dim',
  debug: 'dim',
  info: 'cyan',
  warn: 'yellow',
  error: 'red',
  fatal: 'red',
};

/** Shown in their own place, or the same on every line. */
const placed = new Set(['level', 'time', 'msg', 'plugin', 'incarnation', 'stream', 'data']);

/** What the plugin gave with the line, after what the daemon knows of it. */
function fieldsOf(line: LogLine): [string, unknown][] {
  const data = line['data'];
  const given = isFields(data)
    ? Object.entries(data)
    : data === undefined
      ? []
      : [['data', data] satisfies [string, unknown]];
  return [...given, ...Object.entries(line).filter(([name, value]) => !placed.has(name) && value !== undefined)];
}

/** `plugin` is the log's own plugin, which no line has to repeat. */
export function logLinePieces(line: LogLine, plugin: string | undefined): Piece[][] {
  const [first = '', ...rest] = printable(line.msg).split('\n');
  const from = line['plugin'];
  const incarnation = line['incarnation'];
  return [
    [
      styled('dim', `${timeText(line.time)} `),
      styled(levelStyles[line.level] ?? 'dim', line.level.padEnd(5)),
      ' ',
      typeof from === 'string' && from !== plugin ? styled('bold', `${from} `) : '',
      typeof incarnation === 'number' ? styled('dim', `#${String(incarnation)} `) : '',
      first,
      ...fieldsOf(line).map(([name, value]) =>
        styled('dim', ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`),
      ),
    ],
    ...rest.map((text): Piece[] => [`             ${text}`]),
  ];
}
