// `nagaya faults`: commits every known fault against a daemon of its own and shows what it did about each; or puts a
// plugin of yours under hostile conditions. The kit itself stands in scripts/faults.
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Fault, Place } from '../../../scripts/faults/fault.ts';
import type { KitReport, PlaceReport } from '../../../scripts/faults/kit.ts';
import type { Row, Verdict } from '../../../scripts/faults/verdict.ts';
import { exitCodes } from '../failure.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { printTable } from '../table.ts';
import { type Piece, type Style, type Terminal, styled } from '../terminal.ts';

interface FaultsOptions {
  readonly isolation?: readonly string[];
  readonly only?: readonly string[];
  readonly tools?: boolean;
  readonly list?: boolean;
  readonly plugin?: string;
}

export function register(program: Command): void {
  program
    .command('faults')
    .helpGroup(groups.setup)
    .description('commit every known fault against a daemon of its own and show what it did about each')
    .addOption(new Option('--isolation <kinds...>', 'only these: thread, process; with --tools: pooled, fresh, process'))
    .option('--only <ids...>', 'only these faults')
    .option('--tools', 'commit them in tools instead of services')
    .option('--list', 'list the faults and commit none')
    .option('--plugin <folder>', 'put a plugin of yours under hostile conditions instead')
    .addHelpText('after', examples('nagaya faults', 'nagaya faults --isolation thread --only sync-loop throw-null', 'nagaya faults --tools --json', 'nagaya faults --plugin ./greeter'))
    .action(
      runs<[], FaultsOptions>(async ({ terminal }, options) => {
        endWithSignals();
        if (options.plugin !== undefined) return await tryPlugin(terminal, options.plugin);
        const faults = await chosenFaults(options);
        if (options.list === true) return list(terminal, faults);
        const { exitsWell, runKit } = await import('../../../scripts/faults/kit.ts');
        const places = await chosenPlaces(options);
        const report = await runKit({ faults, places, progress: (place, row, at) => progress(terminal, place, row, `${String(at)}/${String(faults.length)}`) });
        terminal.answer(report, () => show(terminal, report));
        return exitsWell(report) ? exitCodes.fine : exitCodes.failed;
      }),
    );
}

/** What ends at the kit's exit (its daemons, their folders) must end by Ctrl-C too. */
function endWithSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(exitCodes.failed));
}

async function chosenFaults({ only }: FaultsOptions): Promise<readonly Fault[]> {
  const { catalogue, faultIds } = await import('../../../scripts/faults/catalogue.ts');
  if (only === undefined) return catalogue;
  const unknown = only.find((id) => !faultIds.includes(id));
  if (unknown !== undefined) throw new InvalidArgumentError(`there is no fault "${unknown}"; nagaya faults --list shows those there are`);
  return catalogue.filter(({ id }) => only.includes(id));
}

async function chosenPlaces({ isolation, tools }: FaultsOptions): Promise<readonly Place[]> {
  const { serviceIsolations, toolIsolations } = await import('../../../scripts/faults/fault.ts');
  const all: readonly Place[] = tools === true ? toolIsolations.map((kind) => ({ subject: 'tool', isolation: kind })) : serviceIsolations.map((kind) => ({ subject: 'service', isolation: kind }));
  const names = all.map((place) => place.isolation);
  const unknown = isolation?.find((kind) => !names.some((name) => name === kind));
  if (unknown !== undefined) throw new InvalidArgumentError(`there is no isolation "${unknown}" here; there are ${names.join(', ')}`);
  return all.filter((place) => isolation === undefined || isolation.includes(place.isolation));
}

function list(terminal: Terminal, faults: readonly Fault[]): void {
  terminal.answer({ faults: faults.map(({ id, group, what, threads }) => ({ id, group, what, threads })) }, () => {
    printTable(terminal, ['FAULT', 'THE PLUGIN …', 'THREADS'], faults.map(({ id, what, threads }) => [id, what, threads.hold === 'contains' ? 'hold it' : threads.why]));
  });
}

async function tryPlugin(_terminal: Terminal, _folder: string): Promise<never> {
  return await Promise.reject(new InvalidArgumentError('not yet'));
}

const styles: Readonly<Record<Verdict, Style>> = { contained: 'green', denied: 'green', 'given up': 'yellow', 'not run': 'dim', 'not contained': 'red' };

function progress(terminal: Terminal, place: Place, row: Row, at: string): void {
  const why = row.problems[0] ?? row.late[0];
  terminal.complain(styled('dim', `${at} ${place.subject}/${place.isolation} `), `${row.id}: `, styled(styles[row.verdict], row.verdict), why === undefined ? '' : `  ${why}`);
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
  [row.cause, ...row.problems, ...row.late].filter((text, at, all) => text !== '' && all.indexOf(text) === at).join('; '),
];

const headings = ['FAULT', 'VERDICT', 'ANSWERED', 'IN', 'NEIGHBOUR\'S GAP', 'AGAIN IN', 'LEFT', 'CAUSE'];

function show(terminal: Terminal, { places, goals, node, platform, cores }: KitReport): void {
  for (const report of places) {
    terminal.line(styled('bold', `${report.subject}s, ${report.isolation}`), styled('dim', `  Node ${node}, ${platform}, ${String(cores)} cores`));
    printTable(terminal, headings, report.rows.map(lineOf));
    terminal.line(...summaryLine(report));
    const { answeredMs, neighbourGapMs, recoveredMs } = report.control;
    terminal.line(styled('dim', `Without any fault: answered in ${figure(answeredMs)}, neighbour's gap ${figure(neighbourGapMs)}, again in ${figure(recoveredMs)}.`));
    terminal.line();
  }
  terminal.line(styled('dim', `Goals: answered by the deadline + ${String(goals.answerMs)} ms, neighbour's gap ${String(goals.neighbourMs)} ms, again in ${String(goals.recoveryMs)} ms.`));
}

function summaryLine({ summary }: PlaceReport): Piece[] {
  const { faults, contained, denied, givenUp, notRun, notContained, inTime } = summary;
  return [
    styled(notContained === 0 ? 'green' : 'red', `${String(contained + denied)} of ${String(faults)} contained`),
    `: ${String(denied)} by denial, ${String(inTime)} within every goal; ${String(givenUp)} given up, ${String(notRun)} not run, `,
    styled(notContained === 0 ? 'green' : 'red', `${String(notContained)} not contained`),
  ];
}
