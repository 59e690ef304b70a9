// One log line as a person reads it on a terminal: time, level, plugin, message, then what else there is. Here, where
// a line is shown, is where control characters lose their power; in files they stand escaped in JSON anyway.
import type { LogLine } from '../../protocol/operations/telemetry.ts';
import { timeText } from '../../protocol/time-text.ts';

const placed = new Set(['level', 'time', 'plugin', 'msg']);
const levelColours: Readonly<Record<string, number>> = { debug: 90, info: 36, warn: 33, error: 31, fatal: 31 };
const dim = 2;
const bold = 1;
const indent = '    ';

/** Whatever could move the cursor, change colours, or turn the order of what is read. */
const acting = /(?!\t)[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

const harmless = (text: string): string =>
  text.replace(acting, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

export function readableLine(line: LogLine, colour: boolean): string {
  const paint = (code: number, text: string): string =>
    colour && text !== '' ? `\u001b[${String(code)}m${text}\u001b[0m` : text;
  const { plugin } = line;
  // A field of the same name may have taken their place.
  const time = String(line.time);
  const level = String(line.level);
  const [first = '', ...more] = String(line.msg).split(/\r?\n/);
  const fields = Object.entries(line).filter(([name, value]) => !placed.has(name) && value !== undefined);
  const head = [
    paint(dim, harmless(timeText(time))),
    paint(levelColours[level] ?? dim, harmless(level.toUpperCase().padEnd(5))),
    ...(typeof plugin === 'string' ? [paint(bold, harmless(plugin))] : []),
    harmless(first),
    ...fields.map(([name, value]) => paint(dim, `${harmless(name)}=`) + harmless(shown(value))),
  ];
  // Indented, so that no line of a text can pass for a line of the log.
  const below = [...more, ...fields.flatMap(([, value]) => stackOf(value))].map(
    (text) => `\n${indent}${harmless(text)}`,
  );
  return `${head.join(' ')}${below.join('')}\n`;
}

/**
 * A text as it is where nothing in it could be taken for the next field; of an error what it says; the rest as JSON.
 */
function shown(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=]+$/.test(value)) return value;
  return JSON.stringify(stackOf(value).length > 0 ? (value as { message?: unknown }).message : value) ?? 'null';
}

/** The stack of an error as pino puts it into a line. */
function stackOf(value: unknown): string[] {
  const stack = typeof value === 'object' && value !== null && 'stack' in value ? value.stack : undefined;
  return typeof stack === 'string' ? stack.split(/\r?\n/) : [];
}
