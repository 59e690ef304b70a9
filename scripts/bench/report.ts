// The whole of a run, and how it is told: as text for the terminal and as a section of Markdown for docs/benchmarks.md.
import { table } from '../docs/table.ts';
import type { Machine } from './machine.ts';
import type { Column, RowResult } from './row.ts';
import { figureText, targetText } from './wording.ts';

export interface Report {
  readonly machine: Machine;
  readonly repetitions: number;
  readonly tookMs: number;
  readonly rows: readonly RowResult[];
}

const verdictRows = ({ verdicts }: RowResult): string[][] =>
  verdicts.map((verdict) => [
    verdict.what,
    verdict.placement,
    figureText(verdict.figure, verdict.unit),
    targetText(verdict),
    verdict.met ? 'met' : '**not met**',
  ]);

const lineRows = ({ lines, columns }: RowResult): string[][] =>
  lines.map((line) => [
    line.subject,
    line.placement,
    ...columns.map(({ figure, unit }: Column) => figureText(line.figures[figure], unit)),
  ]);

const targetHead = ['ratio or figure', 'cores', 'measured', 'target', ''] as const;

function machineText({ machine, repetitions, tookMs }: Report): string {
  const packages = Object.entries(machine.packages)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  return [
    `Measured ${machine.at.slice(0, 10)} at commit ${machine.commit} with Node ${machine.node} on ${String(machine.cores)} cores of ${machine.processor}, ${String(machine.memoryGb)} GB, ${machine.system}; ${packages}.`,
    `Load of the machine before the first row: ${String(machine.loadBefore)}. ${String(repetitions)} repetitions, ${String(Math.round(tookMs / 1000))} s in all.`,
  ].join(' ');
}

function rowMarkdown(row: RowResult, level: string): string {
  return [
    `${level} ${row.name}: ${row.title}`,
    table(targetHead, verdictRows(row)),
    table(['what', 'cores', ...row.columns.map(({ title }) => title)], lineRows(row)),
    ...row.notes,
  ].join('\n\n');
}

export function summaryMarkdown({ rows }: Report): string {
  const all = rows.flatMap(({ verdicts }) => verdicts);
  const head = table(
    ['row', ...targetHead],
    rows.flatMap((row) => verdictRows(row).map((cells) => [row.name, ...cells])),
  );
  return `**${String(all.filter(({ met }) => met).length)} of ${String(all.length)} figures reach their target.**\n\n${head}`;
}

export function markdown(report: Report): string {
  return [machineText(report), summaryMarkdown(report), ...report.rows.map((row) => rowMarkdown(row, '###'))].join(
    '\n\n',
  );
}

function textTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n');
}

export function rowText(row: RowResult): string {
  return [
    `${row.name}: ${row.title}`,
    textTable([['', 'cores', ...row.columns.map(({ title }) => title)], ...lineRows(row)]),
    textTable(verdictRows(row).map((cells) => cells.map((cell) => cell.replaceAll('**', '')))),
    ...row.notes.map((note) => `  ${note}`),
    '',
  ].join('\n');
}

export const text = (report: Report): string => machineText(report);
