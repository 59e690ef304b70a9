// What the faults kit found, as a person reads it.
import { plural } from '../../../protocol/plural.ts';
import type { Place } from '../../faults/fault.ts';
import type { KitReport, PlaceReport } from '../../faults/kit.ts';
import type { Finding, FindingVerdict } from '../../faults/own/finding.ts';
import type { PluginReport } from '../../faults/own/try-plugin.ts';
import type { Row, Verdict } from '../../faults/verdict.ts';
import { printTable } from './table.ts';
import { type Piece, type Style, type Terminal, styled } from './terminal.ts';

const styles: Readonly<Record<Verdict, Style>> = {
  contained: 'green',
  denied: 'green',
  'by the guardian': 'green',
  'given up': 'yellow',
  'not run': 'dim',
  'not contained': 'red',
};
const findingStyles: Readonly<Record<FindingVerdict, Style>> = {
  fine: 'green',
  skipped: 'dim',
  lost: 'yellow',
  mishandled: 'yellow',
  broken: 'red',
};

export function showProgress(terminal: Terminal, place: Place, row: Row, at: string): void {
  const why = row.problems[0] ?? row.late[0];
  terminal.complain(
    styled('dim', `${at} ${place.subject}/${place.isolation} `),
    `${row.id}: `,
    styled(styles[row.verdict], row.verdict),
    why === undefined ? '' : `  ${why}`,
  );
}

export function showFinding(terminal: Terminal, { condition, verdict }: Finding): void {
  terminal.complain(`${condition}: `, styled(findingStyles[verdict], verdict));
}

const figure = (ms: number | null): string => (ms === null ? '-' : `${String(Math.round(ms))} ms`);

function leftText({ left }: Row): string {
  if (left === null) return '-';
  const { threads, processes, descriptors, sockets } = left;
  const things = Object.entries({ threads, processes, descriptors, sockets }).filter(([, count]) => count > 0);
  return things.length === 0 ? 'nothing' : things.map(([name, count]) => `${String(count)} ${name}`).join(', ');
}

const lineOf = (row: Row): Piece[] => [
  row.id,
  styled(styles[row.verdict], row.verdict),
  row.answered ?? '-',
  figure(row.answeredMs),
  figure(row.neighbourGapMs),
  figure(row.recoveredMs),
  leftText(row),
  [...new Set([row.cause, ...row.problems, ...row.late])].filter((text) => text !== '').join('; '),
];

const headings = ['FAULT', 'VERDICT', 'ANSWERED', 'IN', "NEIGHBOUR'S GAP", 'AGAIN IN', 'LEFT', 'CAUSE'];

export function showKit(terminal: Terminal, { places, goals, node, platform, cores }: KitReport): void {
  for (const report of places) {
    terminal.line(
      styled('bold', `${report.subject}s, ${report.isolation}`),
      styled('dim', `  Node ${node}, ${platform}, ${plural(cores, 'core')}`),
    );
    printTable(terminal, headings, report.rows.map(lineOf));
    terminal.line(...summaryLine(report));
    const { answeredMs, neighbourGapMs, recoveredMs } = report.control;
    terminal.line(
      styled(
        'dim',
        `Without any fault: answered in ${figure(answeredMs)}, neighbour's gap ${figure(neighbourGapMs)}, again in ${figure(recoveredMs)}.`,
      ),
    );
    terminal.line();
  }
  terminal.line(
    styled(
      'dim',
      `Goals: answered by the deadline + ${String(goals.answerMs)} ms, neighbour's gap ${String(goals.neighbourMs)} ms, again in ${String(goals.recoveryMs)} ms.`,
    ),
  );
}

function summaryLine({ summary }: PlaceReport): Piece[] {
  const { faults, contained, denied, byGuardian, givenUp, notRun, notContained, inTime } = summary;
  const style = notContained === 0 ? 'green' : 'red';
  return [
    styled(style, `${String(contained + denied + byGuardian)} of ${String(faults)} contained`),
    `: ${String(denied)} by denial, ${String(byGuardian)} by the guardian, ${String(inTime)} within every goal; ${String(givenUp)} given up, ${String(notRun)} not run, `,
    styled(style, `${String(notContained)} not contained`),
  ];
}

export function showPlugin(terminal: Terminal, { plugin, findings }: PluginReport): void {
  printTable(
    terminal,
    ['CONDITION', 'VERDICT', plugin],
    findings.map(({ condition, what, verdict, detail }) => [
      condition,
      styled(findingStyles[verdict], verdict),
      `${what}: ${detail}`,
    ]),
  );
}
