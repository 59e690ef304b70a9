// Writes the table of faults into docs/operations.md from the faults kit's own reports. Apart from the other tables,
// because a run takes minutes and its figures are those of one machine: `npm run docs:faults`, or with the files of
// earlier `nagaya faults --json` runs as arguments.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { KitReport, PlaceReport } from '../faults/kit.ts';
import { table } from './table.ts';

const page = fileURLToPath(new URL('../../docs/operations.md', import.meta.url));
const command = fileURLToPath(new URL('../../dist/daemon/cli/nagaya.js', import.meta.url));
const places = ['thread', 'process'];

function report(isolation: string): KitReport {
  const { stdout, status } = spawnSync(process.execPath, [command, 'faults', '--isolation', isolation, '--json'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 64 * 1024 * 1024 });
  if (status !== 0 && status !== 1) throw new Error(`nagaya faults --isolation ${isolation} ended with ${String(status)}`);
  return JSON.parse(stdout) as KitReport;
}

function faultsSection(reports: readonly KitReport[]): string {
  const [first] = reports;
  if (first === undefined) throw new Error('no report of the faults kit was given');
  const all = reports.flatMap((one) => one.places);
  const rows = all[0]?.rows.map(({ id, what }) => [`\`${id}\``, what, ...all.map((place) => cell(place, id))]) ?? [];
  return [
    `Node ${first.node}, ${first.platform}, ${String(first.cores)} cores, ${first.at.slice(0, 10)}. Answered in / the neighbour's longest gap / works again after, in ms.`,
    '',
    table(['fault', 'what the plugin does', ...all.map(({ place }) => place)], rows),
    '',
    all.map(summaryOf).join('\n'),
  ].join('\n');
}

function cell({ rows }: PlaceReport, id: string): string {
  const row = rows.find((one) => one.id === id);
  if (row === undefined) return '';
  if (row.verdict === 'not run') return `not run: ${row.cause}`;
  const figure = (ms: number | null): string => (ms === null ? '–' : String(Math.round(ms)));
  const why = row.problems.length === 0 ? '' : ` (${row.problems.join('; ')})`;
  return `${row.verdict}${why}, ${row.answered ?? 'not answered'}, ${figure(row.answeredMs)} / ${figure(row.neighbourGapMs)} / ${figure(row.recoveredMs)}`;
}

function summaryOf({ place, rows }: PlaceReport): string {
  const of = (verdict: string): number => rows.filter((row) => row.verdict === verdict).length;
  return `- ${place}: of ${String(rows.length)} faults ${String(of('contained'))} contained, ${String(of('denied'))} denied with a remedy, ${String(of('given up'))} given up, ${String(of('not run'))} not run there, ${String(of('not contained'))} not contained.`;
}

const files = process.argv.slice(2);
const reports = files.length > 0 ? files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as KitReport) : places.map(report);
const text = readFileSync(page, 'utf8');
const [begin, end] = ['<!-- faults: begin -->', '<!-- faults: end -->'];
const from = text.indexOf(begin);
const to = text.indexOf(end);
if (from === -1 || to === -1) throw new Error(`docs/operations.md has no ${begin} … ${end}`);
writeFileSync(page, `${text.slice(0, from + begin.length)}\n\n${faultsSection(reports)}\n\n${text.slice(to)}`);
