// `nagaya serve`: the daemon in the foreground. Its log goes to standard error; standard output says once where it
// listens, what runs, what was refused and what to try next.
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { connect } from '../../../protocol/client/client.ts';
import { issueText } from '../../../protocol/errors.ts';
import type { LastGood } from '../../config/last-good.ts';
import type { Config } from '../../config/schema.ts';
import type { Daemon } from '../../host/daemon.ts';
import { standardError } from '../../guardian/standard-error.ts';
import { packageVersion, pasteable } from '../install.ts';
import { groups } from '../groups.ts';
import { type Invocation, examples, runs } from '../invocation.ts';
import { lifecyclePiece } from '../views/service-view.ts';
import { listText, table } from '../views/table.ts';
import { type Piece, type Terminal, styled } from '../views/terminal.ts';
import { commandsToTry } from '../try-next.ts';

type LogLevel = Config['log']['level'];

interface ServeOptions {
  readonly config?: string;
  readonly plugins?: readonly string[];
  readonly logLevel?: LogLevel;
  readonly state?: string;
  readonly untilStdinEnds?: boolean;
  readonly lastGood?: boolean;
  /** Read by nagaya.ts, before this file is loaded. */
  readonly guardian?: boolean;
}

/** Those of daemon/config/schema.ts, which would bring zod along before it is needed; a test holds them equal. */
export const logLevels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export function register(program: Command): void {
  program
    .command('serve')
    .helpGroup(groups.daemon)
    .description('run the daemon in the foreground; Ctrl-C stops it')
    .option(
      '--config <path>',
      "configuration file (default: $NAGAYA_CONFIG, ./nagaya.json or .yaml, or the user's own)",
    )
    .option('--plugins <folders...>', 'plugins, or folders of plugins, beside those of the configuration')
    .option(
      '--state <folder>',
      "where logs and all that outlives the daemon are kept (default: the configuration's stateFolder, $NAGAYA_STATE, or the user's own)",
    )
    .addOption(new Option('--log-level <level>', 'least level that is logged').choices(logLevels))
    .option(
      '--until-stdin-ends',
      'shut down when standard input ends: for a parent process that must not leave it behind',
    )
    .option(
      '--last-good',
      'where the configuration is broken, start on the last one that a daemon with this option could start with',
    )
    .option(
      '--no-guardian',
      'run the daemon without the parent process that brings it back: for those who have another supervisor',
    )
    .addHelpText(
      'after',
      examples(
        'nagaya serve',
        'nagaya serve --plugins ./examples',
        'nagaya serve --config ./nagaya.json --socket /tmp/try.sock --log-level debug',
        'nagaya serve --json 2> daemon.ndjson',
      ),
    )
    .action(
      runs<[], ServeOptions>(async (invocation, options) => {
        // Whoever read the banner and went away takes nothing of the daemon along.
        process.stdout.on('error', () => undefined);
        const daemon = await start(invocation, options);
        if (options.untilStdinEnds === true) stopWithStdin(daemon);
        await announce(invocation.terminal, daemon);
        daemon.exit(await daemon.ended);
      }),
    );
}

async function start({ namedSocket, socket, terminal }: Invocation, options: ServeOptions): Promise<Daemon> {
  const { GuardianLink } = await import('../../guardian/link.ts');
  const link = GuardianLink.find();
  const { loadConfig } = await import('../../config/load.ts');
  const { defaultStateFolder } = await import('../../config/state-folder.ts');
  const named = options.config === undefined ? {} : { path: options.config };
  const lastGood = await lastGoodOf(options.state);
  const loaded = await loadConfig(named).catch((thrown: unknown) => {
    if (options.lastGood !== true) throw thrown;
    return lastGood.inPlaceOf(thrown);
  });
  const { config, path } = loaded;
  const notice = 'notice' in loaded ? loaded.notice : undefined;
  const { startDaemon } = await import('../../host/daemon.ts');
  const daemon = await startDaemon({
    config,
    ...(notice === undefined ? {} : { notice }),
    configPath: path,
    socket: namedSocket ?? process.env['NAGAYA_SOCKET'] ?? config.socket ?? socket,
    stateFolder: options.state === undefined ? (config.stateFolder ?? defaultStateFolder()) : resolve(options.state),
    pluginFolders: (options.plugins ?? []).map((folder) => resolve(folder)),
    logLevel: options.logLevel ?? config.log.level,
    pretty: !terminal.json && standardError.isTTY,
    logDestination: standardError.descriptor,
    ...(link === undefined ? {} : { guarding: await link.welcome(packageVersion()) }),
  });
  if (notice === undefined && path !== null) await lastGood.keep({ config, path }, Date.now());
  return daemon;
}

/** Beside what else outlives the daemon, where that does not depend on the configuration. */
async function lastGoodOf(state: string | undefined): Promise<LastGood> {
  const { LastGood } = await import('../../config/last-good.ts');
  const { defaultStateFolder } = await import('../../config/state-folder.ts');
  return new LastGood(state === undefined ? defaultStateFolder() : resolve(state));
}

function stopWithStdin(daemon: Daemon): void {
  const stop = (): void => void daemon.shutdown('standard input ended');
  process.stdin.once('end', stop).once('error', stop).once('close', stop).resume();
}

interface Announcement {
  readonly socket: string;
  readonly browser: string | null;
  readonly pid: number;
  readonly guardianPid: number | null;
  readonly version: string;
  readonly plugins: Daemon['plugins'];
  readonly invalid: Daemon['invalid'];
  readonly try: readonly string[];
}

async function announce(terminal: Terminal, daemon: Daemon): Promise<void> {
  const announcement: Announcement = {
    socket: daemon.socket,
    browser: daemon.browser,
    pid: daemon.pid,
    guardianPid: daemon.guardianPid,
    version: packageVersion(),
    plugins: daemon.plugins,
    invalid: daemon.invalid,
    try: await toTry(daemon.socket),
  };
  if (terminal.json) terminal.record({ event: 'listening', ...announcement });
  else if (daemon.deaths > 0)
    terminal.line(
      styled('bold', `nagaya ${announcement.version}`),
      ` is back on ${daemon.socket} (pid ${String(daemon.pid)})`,
    );
  else showBanner(terminal, announcement);
}

async function toTry(socket: string): Promise<string[]> {
  try {
    const client = await connect({ socket, callMs: 5000 });
    try {
      return await commandsToTry(client, socket);
    } finally {
      await client.close();
    }
  } catch {
    // A daemon that was told to stop while it started has nothing left to try.
    return [pasteable(['status'], socket)];
  }
}

function showBanner(
  terminal: Terminal,
  { socket, browser, pid, version, plugins, invalid, try: commands }: Announcement,
): void {
  terminal.line(styled('bold', `nagaya ${version}`), ` listens on ${socket} (pid ${String(pid)})`);
  if (browser !== null)
    terminal.line(
      `and for browsers at ${browser}: `,
      styled('cyan', pasteable(['open'], socket)),
      ' prints a link that signs one in',
    );
  terminal.line();
  if (plugins.length === 0)
    terminal.line('No plugins are loaded: write one with ', styled('cyan', pasteable(['new', 'service', './hello'])));
  const rows = plugins.map(({ id, lifecycle, tools, profiles }): Piece[] => [
    id,
    lifecycle === null ? '-' : lifecyclePiece(lifecycle),
    listText(tools),
    listText(profiles),
  ]);
  if (rows.length > 0) terminal.lines(table(['PLUGIN', 'SERVICE', 'TOOLS', 'PROFILES'], rows));
  for (const { path, issues } of invalid) {
    terminal.line(styled('yellow', 'refused '), path);
    for (const issue of issues) terminal.line(`  ${issueText(issue)}`);
  }
  terminal.line();
  terminal.line('Try next, in another terminal:');
  for (const command of commands) terminal.line('  ', styled('cyan', command));
  terminal.line();
  terminal.line(styled('dim', 'Ctrl-C stops the daemon.'));
}
