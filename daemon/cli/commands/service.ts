// `nagaya service install|status|logs|uninstall`: the daemon as a service of the system, which starts it at boot or at
// login, is told when it is ready and alive, and has it read its configuration again.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { HostError } from '../../../protocol/errors.ts';
import { CommandFailure, exitCodes, usageFailure } from '../failure.ts';
import { groups } from '../groups.ts';
import { type Invocation, examples, runs, wholeNumber } from '../invocation.ts';
import { type ServiceOptions, type SystemService, systemService } from '../system-service/places.ts';
import { commandText } from '../system-service/units.ts';
import { styled } from '../views/terminal.ts';

interface InstallOptions extends ServiceOptions {
  readonly print?: boolean;
  readonly start: boolean;
}

interface LogOptions extends ServiceOptions {
  readonly lines: number;
  readonly follow?: boolean;
}

function scoped(command: Command): Command {
  return command
    .option('--user', "of the user's own service manager (the default)")
    .option('--system', "of the system's service manager; needs root");
}

export function register(program: Command): void {
  const group = program
    .command('service')
    .helpGroup(groups.setup)
    .description('run the daemon as a service of the system: systemd, or launchd on macOS')
    .addHelpText('after', examples('nagaya service install --plugins ~/plugins', 'nagaya service install --print'));
  registerInstall(group);
  scoped(group.command('status').description('show what the service manager knows of it'))
    .addHelpText('after', examples('nagaya service status', 'nagaya service status --system'))
    .action(runs<[], ServiceOptions>((invocation, options) => pass(serviceOf(invocation, options).status)));
  scoped(group.command('logs').description("show the daemon's log as the service manager keeps it"))
    .option('--lines <count>', 'how many of the last lines', wholeNumber(1, 100_000), 100)
    .option('-f, --follow', 'go on with new lines as they come')
    .addHelpText('after', examples('nagaya service logs', 'nagaya service logs --follow'))
    .action(
      runs<[], LogOptions>((invocation, options) =>
        pass(serviceOf(invocation, options).logs(options.lines, options.follow === true)),
      ),
    );
  scoped(group.command('uninstall').description('stop the service and remove its files; the state folder stays'))
    .addHelpText('after', examples('nagaya service uninstall', 'sudo nagaya service uninstall --system'))
    .action(
      runs<[], ServiceOptions>((invocation, options) => {
        const service = serviceOf(invocation, options);
        for (const command of service.uninstall) manage(invocation, command, { mayFail: true });
        for (const { path } of service.files) rmSync(path, { force: true });
        const removed = service.files.map(({ path }) => path);
        invocation.terminal.answer({ removed }, () =>
          removed.forEach((path) => invocation.terminal.line('removed ', path)),
        );
      }),
    );
}

function registerInstall(group: Command): void {
  scoped(group.command('install').description('write the files of the service, start it, and have it start by itself'))
    .option('--print', 'only print the files and the commands')
    .option('--no-start', 'write the files, and leave the service manager alone')
    .option('--run-as <user>', 'with --system: as whom the daemon and the plugins run (default: who calls sudo)')
    .option('--config <path>', 'configuration file of the daemon')
    .option('--plugins <folders...>', 'plugins, or folders of plugins')
    .option('--state <folder>', 'where what outlives the daemon is kept')
    .option('--last-good', 'start on the last good configuration where the present one is broken')
    .addHelpText(
      'after',
      examples(
        'nagaya service install --plugins ~/plugins',
        'nagaya service install --print',
        'sudo nagaya service install --system --run-as ada --config /etc/nagaya.json',
      ),
    )
    .action(
      runs<[], InstallOptions>((invocation, options) => {
        const service = serviceOf(invocation, absolute(options));
        if (options.print === true) print(invocation, service);
        else install(invocation, service, options.start);
      }),
    );
}

const absolute = (options: InstallOptions): InstallOptions => ({
  ...options,
  ...(options.config === undefined ? {} : { config: resolve(options.config) }),
  ...(options.state === undefined ? {} : { state: resolve(options.state) }),
  ...(options.plugins === undefined ? {} : { plugins: options.plugins.map((folder) => resolve(folder)) }),
});

function serviceOf({ namedSocket }: Invocation, options: ServiceOptions): SystemService {
  if (options.user === true && options.system === true)
    throw usageFailure('A service is of the user or of the system, not of both.', 'Give --user or --system.');
  return systemService(options, { socket: namedSocket });
}

function print({ terminal }: Invocation, { manager, scope, files, install: commands }: SystemService): void {
  terminal.answer({ manager, scope, files, commands }, () => {
    for (const { path, text } of files) terminal.text(`# ${path}\n${text}`);
    for (const command of commands) terminal.text(`# ${commandText(command)}`);
  });
}

function install(invocation: Invocation, service: SystemService, starts: boolean): void {
  const { terminal } = invocation;
  for (const { path, text } of service.files) {
    write(path, text);
    terminal.note('wrote ', styled('cyan', path));
  }
  if (starts) for (const command of service.install) manage(invocation, command);
  const written = service.files.map(({ path }) => path);
  terminal.answer({ manager: service.manager, scope: service.scope, written, started: starts }, () => {
    terminal.line(starts ? 'the service runs' : 'the service is installed and not started');
    if (service.manager === 'systemd' && service.scope === 'user')
      terminal.note('it starts when you log in; `loginctl enable-linger` has it start at boot');
  });
}

function write(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode: 0o644 });
  } catch (error) {
    throw failed(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

const failed = (message: string): CommandFailure =>
  new CommandFailure(
    exitCodes.failed,
    new HostError('unsupported_operation', message, { instead: 'nagaya service install --print' }),
    'Print the files with `nagaya service install --print`, and put them where your service manager wants them.',
  );

function manage({ terminal }: Invocation, command: readonly string[], { mayFail = false } = {}): void {
  const [file = '', ...args] = command;
  const { status, error, stderr } = spawnSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  if (status === 0) return;
  const why = error?.message ?? stderr.trim();
  if (!mayFail) throw failed(`\`${commandText(command)}\` failed: ${why}.`);
  terminal.note(styled('yellow', `${commandText(command)}: `), why);
}

/** What the manager's own command prints is the answer. */
function pass(command: readonly string[]): typeof exitCodes.fine | typeof exitCodes.failed {
  const [file = '', ...args] = command;
  const { status, error } = spawnSync(file, args, { stdio: 'inherit' });
  if (error !== undefined) throw failed(`\`${commandText(command)}\` cannot be run: ${error.message}.`);
  return status === 0 ? exitCodes.fine : exitCodes.failed;
}
