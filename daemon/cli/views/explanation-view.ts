// How a plugin is and what went wrong, in sentences: what happened and when, why, and what to do about it.
import type { Explanation } from '../../../protocol/operations/telemetry.ts';
import { agoText, timeText } from './quantity.ts';
import { type Piece, type Style, styled } from './terminal.ts';

const marks: Readonly<Record<Explanation['level'], readonly [mark: string, style: Style]>> = {
  error: ['✗', 'red'],
  warn: ['!', 'yellow'],
  info: ['·', 'dim'],
};

export function explanationLines(explanation: readonly Explanation[]): Piece[][] {
  return explanation.flatMap(({ level, at, what, why, remedy }) => {
    const [mark, style] = marks[level];
    const when: Piece[] = at === null ? [] : [styled('dim', `  ${agoText(at)} (${timeText(at)})`)];
    return [
      [styled(style, mark), ' ', level === 'info' ? what : styled('bold', what), ...when],
      ...(why === null ? [] : [[`    ${why}`]]),
      ...(remedy === null ? [] : [[styled('dim', '    What to do: '), remedy]]),
    ];
  });
}
