// Rows in aligned columns, as lines of pieces, so that the same table can be printed, redrawn and tested.
import { type Piece, type Terminal, cut, pieceText, styled } from './terminal.ts';

const gap = '  ';

const lengthOf = (cell: Piece): number => [...pieceText(cell)].length;

export function table(headings: readonly string[], rows: readonly (readonly Piece[])[]): Piece[][] {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => lengthOf(row[column] ?? ''))),
  );
  const lineOf = (cells: readonly Piece[]): Piece[] =>
    cells.flatMap((cell, column) => {
      const padding = column === cells.length - 1 ? '' : ' '.repeat((widths[column] ?? 0) - lengthOf(cell)) + gap;
      return [cell, padding];
    });
  return [lineOf(headings.map((heading) => styled('dim', heading))), ...rows.map(lineOf)];
}

/** Of the names in one cell. */
const mostListed = 60;

/** Those that there is room for, and how many more there are. */
export function listText(names: readonly string[]): string {
  let text = '-';
  for (const [at, name] of names.entries()) {
    const longer = at === 0 ? name : `${text}, ${name}`;
    if (at > 0 && longer.length > mostListed) return `${text} and ${String(names.length - at)} more`;
    text = longer;
  }
  return text;
}

/** Prints it; on a terminal no line is wider than the screen. */
export function printTable(terminal: Terminal, headings: readonly string[], rows: readonly (readonly Piece[])[]): void {
  const width = terminal.columns;
  for (const line of table(headings, rows)) terminal.line(...(width === undefined ? line : cut(line, width)));
}
