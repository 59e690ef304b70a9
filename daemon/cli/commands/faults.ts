// `nagaya faults`: commits every known fault against a daemon of its own and shows what it did about each; or puts a
// plugin of yours under hostile conditions. The kit itself stands in daemon/faults.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Fault, Place } from '../../faults/fault.ts';
import { type ExitCode, exitCodes, usageFailure } from '../failure.ts';
import { showFinding, showKit, showPlugin, showProgress } from '../views/faults-view.ts';
import { groups } from '../groups.ts';
import { examples, runs } from '../invocation.ts';
import { jsonArgument } from '../json-input.ts';
import { printTable } from '../views/table.ts';
import type { Terminal } from '../views/terminal.ts';

interface FaultsOptions {
  readonly isolation?: readonly string[];
  readonly only?: readonly string[];
  readonly tools?: boolean;
  readonly mcp?: boolean;
  readonly guardian?: boolean;
  readonly list?: boolean;
  readonly plugin?: string;
  readonly payload?: string;
}

export function register(program: Command): void {
  program
    .command('faults')
    .helpGroup(groups.author)
    .description('commit every known fault against a daemon of its own and show what it did about each')
    .option('--isolation <kinds...>', 'only these: thread, process; with --tools: pooled, fresh, process')
    .option('--only <ids...>', 'only these faults')
    .option('--tools', 'commit them in tools instead of services')
    .option('--mcp', 'commit what MCP servers do wrong that a plugin hosts, instead')
    .option('--guardian', 'commit all of them under a guardian, not only those that end the daemon')
    .option('--list', 'list the faults and commit none')
    .option('--plugin <folder>', 'put a plugin of yours under hostile conditions instead')
    .option('--payload <json>', 'with --plugin: payload of its events, where one made from its schema is no use')
    .addHelpText(
      'after',
      examples(
        'nagaya faults',
        'nagaya faults --isolation thread --only sync-loop throw-null',
        'nagaya faults --tools --json',
        'nagaya faults --mcp --only mcp-flood mcp-forks',
        'nagaya faults --plugin ./greeter',
      ),
    )
    .action(
      runs<[], FaultsOptions>(async ({ terminal }, options) => {
        endWithSignals();
        if (options.mcp === true && options.tools === true)
          throw usageFailure('--mcp and --tools do not go together.', 'Give one of them.');
        if (options.plugin !== undefined) return await putUnderPressure(terminal, options.plugin, options.payload);
        const faults = await chosenFaults(options);
        if (options.list === true) return list(terminal, faults, options.mcp === true);
        return await commit(terminal, faults, await chosenPlaces(options), options.guardian === true);
      }),
    );
}

/** What ends at the kit's exit (its daemons, their folders) must end by Ctrl-C too. */
function endWithSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(exitCodes.failed));
}

async function chosenFaults({ only, mcp }: FaultsOptions): Promise<readonly Fault[]> {
  const { catalogue } = await import('../../faults/catalogue.ts');
  const { serverFaults } = await import('../../faults/server-catalogue.ts');
  const known = mcp === true ? serverFaults : catalogue;
  const unknown = only?.find((only) => !known.some(({ id }) => id === only));
  if (unknown !== undefined)
    throw usageFailure(
      `There is no fault "${unknown}".`,
      `See \`nagaya faults${mcp === true ? ' --mcp' : ''} --list\`${mcp === true ? '' : '; those of MCP servers go with --mcp'}.`,
    );
  return only === undefined ? known : known.filter(({ id }) => only.includes(id));
}

async function chosenPlaces({ isolation, tools, mcp }: FaultsOptions): Promise<readonly Place[]> {
  const { serverPlace, serviceIsolations, toolIsolations } = await import('../../faults/fault.ts');
  const subject = mcp === true ? 'MCP servers' : tools === true ? 'tools' : 'services';
  const all: readonly Place[] =
    mcp === true
      ? [serverPlace]
      : tools === true
        ? toolIsolations.map((kind) => ({ subject: 'tool', isolation: kind }))
        : serviceIsolations.map((kind) => ({ subject: 'service', isolation: kind }));
  const names: readonly string[] = all.map((place) => place.isolation);
  const unknown = isolation?.find((kind) => !names.includes(kind));
  if (unknown !== undefined)
    throw usageFailure(`There is no isolation "${unknown}" for ${subject}.`, `There are ${names.join(', ')}.`);
  return all.filter((place) => isolation === undefined || isolation.includes(place.isolation));
}

function list(terminal: Terminal, faults: readonly Fault[], ofServers: boolean): void {
  terminal.answer({ faults: faults.map(({ id, group, what, threads }) => ({ id, group, what, threads })) }, () => {
    // A hosted server is always a process.
    if (ofServers)
      printTable(
        terminal,
        ['FAULT', 'THE SERVER …'],
        faults.map(({ id, what }) => [id, what]),
      );
    else
      printTable(
        terminal,
        ['FAULT', 'THE PLUGIN …', 'THREADS'],
        faults.map(({ id, what, threads }) => [id, what, threads.hold === 'contains' ? 'hold it' : threads.why]),
      );
  });
}

async function commit(
  terminal: Terminal,
  faults: readonly Fault[],
  places: readonly Place[],
  guardian: boolean,
): Promise<ExitCode> {
  const { exitsWell, runKit } = await import('../../faults/kit.ts');
  const report = await runKit({
    faults,
    places,
    repeats: 2,
    guardian,
    progress: (place, row, at) => showProgress(terminal, place, row, `${String(at)}/${String(faults.length)}`),
  });
  terminal.answer(report, () => showKit(terminal, report));
  return exitsWell(report) ? exitCodes.fine : exitCodes.failed;
}

async function putUnderPressure(terminal: Terminal, folder: string, payload: string | undefined): Promise<ExitCode> {
  const [{ isFine, tryPlugin }, { sampleValue }] = await Promise.all([
    import('../../faults/own/try-plugin.ts'),
    import('../authoring/sample-value.ts'),
  ]);
  const report = await tryPlugin({
    folder: resolve(folder),
    sample: (schema) => sampleValue(schema),
    progress: (finding) => showFinding(terminal, finding),
    ...(payload === undefined ? {} : { payload: await jsonArgument(payload, 'payload') }),
  });
  terminal.answer(report, () => showPlugin(terminal, report));
  return isFine(report) ? exitCodes.fine : exitCodes.failed;
}
