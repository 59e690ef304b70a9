// `npm run docs:faults`: writes the tables of faults into docs/faults.md from the kit's own reports. Apart from the
// other sections, because a run takes minutes and its figures are those of one machine. Given files, it takes the
// reports of earlier `nagaya faults --json` runs instead of making new ones.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KitReport, PlaceReport } from '../../daemon/faults/kit.ts';
import type { Row } from '../../daemon/faults/verdict.ts';
import { code, table } from './table.ts';

const root = join(import.meta.dirname, '..', '..');
const page = join(root, 'docs', 'faults.md');
const command = join(root, 'dist', 'daemon', 'cli', 'nagaya.js');
const [opening, closing] = ['<!-- begin:faults -->', '<!-- end:faults -->'] as const;

function freshReport(more: readonly string[]): KitReport {
  const { stdout, status } = spawnSync(process.execPath, [command, 'faults', '--json', ...more], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 * 1024 * 1024,
  });
  // 1: something was not contained, which the table then says.
  if (status !== 0 && status !== 1) throw new Error(`nagaya faults ${more.join(' ')} ended with ${String(status)}`);
  return JSON.parse(stdout) as KitReport;
}

const ms = (figure: number | null): string => (figure === null ? '–' : String(Math.round(figure)));

function leftText({ left }: Row): string {
  if (left === null) return '–';
  const { threads, processes, descriptors, sockets } = left;
  const things = Object.entries({ threads, processes, descriptors, sockets }).filter(([, count]) => count > 0);
  return things.length === 0 ? 'nothing' : things.map(([name, count]) => `${String(count)} ${name}`).join(', ');
}

/** A table of Markdown takes no line as it is. */
const cell = (text: string): string => text.replaceAll(/[<>]/g, '').replaceAll(/\s+/g, ' ');

/** Paths of the run that was measured mean nothing to a reader. */
const causeOf = ({ cause, problems }: Row): string =>
  cell([...new Set([cause, ...problems])].join('; ').replaceAll(/\/\S*nagaya-faults-[^/\s]+\//g, '…/'));

function serviceTable({ rows, subject }: PlaceReport): string {
  return table(
    [
      'fault',
      subject === 'server' ? 'the server …' : 'the plugin …',
      'verdict',
      'the caller gets',
      'in ms',
      "neighbour's gap, ms",
      'works again in ms',
      'left behind',
      'the operator is told',
    ],
    rows.map((row) => [
      code(row.id),
      row.what,
      row.verdict,
      row.answered === null ? '–' : code(row.answered),
      ms(row.answeredMs),
      ms(row.neighbourGapMs),
      ms(row.recoveredMs),
      leftText(row),
      causeOf(row),
    ]),
  );
}

/** Verdict and code for each isolation; the figures are in the kit's own report. */
function toolTable(places: readonly PlaceReport[]): string {
  const ids = places[0]?.rows.map(({ id, what }) => ({ id, what })) ?? [];
  const cellOf = ({ rows }: PlaceReport, id: string): string => {
    const row = rows.find((found) => found.id === id);
    if (row === undefined) return '–';
    return [row.verdict, row.answered === null ? '' : `${code(row.answered)} in ${ms(row.answeredMs)} ms`]
      .filter((text) => text !== '')
      .join(', ');
  };
  return table(
    ['fault', 'the tool …', ...places.map(({ isolation }) => code(isolation))],
    ids.map(({ id, what }) => [code(id), what, ...places.map((place) => cellOf(place, id))]),
  );
}

function summaryText({ summary, control }: PlaceReport): string {
  const { faults, contained, denied, byGuardian, givenUp, notRun, notContained, inTime, daemonDeaths } = summary;
  const rest = [
    `${String(givenUp)} given up`,
    `${String(notRun)} not run`,
    `${String(notContained)} not contained`,
  ].join(', ');
  return [
    `**${String(contained + denied + byGuardian)} of ${String(faults)} contained**, ${String(denied)} of them by denial, ${String(byGuardian)} by the guardian; ${rest}; the daemon died ${String(daemonDeaths)} times.`,
    `${String(inTime)} met every goal. Without any fault the neighbour's longest gap was ${ms(control.neighbourGapMs)} ms here.`,
  ].join(' ');
}

function section(reports: readonly KitReport[]): string {
  const [first] = reports;
  if (first === undefined) throw new Error('there is no report to write');
  const places = reports.flatMap((report) => report.places);
  const services = places.filter(({ subject }) => subject === 'service');
  const tools = places.filter(({ subject }) => subject === 'tool');
  const servers = places.filter(({ subject }) => subject === 'server');
  const { answerMs, neighbourMs, recoveryMs } = first.goals;
  return [
    `Measured with Node ${first.node} on ${first.platform} with ${String(first.cores)} cores, ${first.at.slice(0, 10)}. The goals: answered by the deadline + ${String(answerMs)} ms, no gap of the neighbour's over ${String(neighbourMs)} ms, of use again within ${String(recoveryMs)} ms. The deadline is 500 ms for most handlers, 5000 ms for those that take memory, 3000 ms for an import. A trial that missed a goal was repeated twice, and the middle one of each figure counts.`,
    ...services.flatMap((place) => [`## Services in a ${place.isolation}`, summaryText(place), serviceTable(place)]),
    ...(tools.length === 0
      ? []
      : ['## Tools', ...tools.map((place) => `${code(place.isolation)}: ${summaryText(place)}`), toolTable(tools)]),
    ...servers.flatMap((place) => ['## Hosted MCP servers', summaryText(place), serviceTable(place)]),
  ].join('\n\n');
}

const files = process.argv.slice(2);
const reports =
  files.length > 0
    ? files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as KitReport)
    : [freshReport([]), freshReport(['--tools']), freshReport(['--mcp'])];
const text = readFileSync(page, 'utf8');
const from = text.indexOf(opening);
const to = text.indexOf(closing);
if (from === -1 || to < from) throw new Error(`${page} has no ${opening} … ${closing}`);
writeFileSync(page, `${text.slice(0, from + opening.length)}\n\n${section(reports)}\n\n${text.slice(to)}`);
