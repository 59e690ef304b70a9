// `nagaya doctor`: what is wrong with this machine's set-up, and the command that fixes it.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exitCodes } from '../failure.ts';
import type { Finding } from '../doctor/finding.ts';
import { groups } from '../groups.ts';
import { type Invocation, examples, runs } from '../invocation.ts';
import { plural } from '../views/quantity.ts';
import { type Terminal, styled } from '../views/terminal.ts';

export function register(program: Command): void {
  program
    .command('doctor')
    .helpGroup(groups.setup)
    .description("find what is wrong with this machine's set-up, and the command that fixes it")
    .option('--config <path>', 'configuration the daemon is started with')
    .addHelpText('after', examples('nagaya doctor', 'nagaya doctor --socket /tmp/other.sock --json'))
    .action(
      runs<[], { config?: string }>(async (invocation, options) => {
        const findings = await examine(invocation, options.config);
        const healthy = findings.every(({ state }) => state !== 'fault');
        invocation.terminal.answer({ healthy, findings }, () => show(invocation.terminal, findings));
        return healthy ? exitCodes.fine : exitCodes.failed;
      }),
    );
}

/** Loaded only here: it brings the configuration's schema with it. */
async function examine(invocation: Invocation, configPath: string | undefined): Promise<Finding[]> {
  const [
    { checkConfiguration },
    { checkCommand, checkNode, checkOpenFiles },
    folders,
    socketChecks,
    { askDaemon, daemonFindings, storeFindings },
    { otherDaemonFindings },
    { defaultStateFolder },
  ] = await Promise.all([
    import('../doctor/configuration.ts'),
    import('../doctor/machine.ts'),
    import('../doctor/folders.ts'),
    import('../doctor/socket.ts'),
    import('../doctor/running-daemon.ts'),
    import('../doctor/other-daemons.ts'),
    import('../../config/state-folder.ts'),
  ]);
  const { config, findings } = await checkConfiguration(configPath);
  const socket = resolve(invocation.namedSocket ?? process.env['NAGAYA_SOCKET'] ?? config.socket ?? invocation.socket);
  const path = socketChecks.checkSocketPath(socket);
  // A path the kernel would cut leads to some other socket, or to none.
  const daemon = path.state === 'fault' ? undefined : await askDaemon(socket);
  // That of the daemon which runs, which may have been started with another one.
  const stateFolder = daemon?.status.stateFolder ?? config.stateFolder ?? defaultStateFolder();
  return [
    checkNode(),
    checkCommand(),
    ...findings,
    path,
    await socketChecks.checkSocketFolder(socket),
    ...(path.state === 'fault' ? [] : [socketChecks.checkRemains(socket, daemon !== undefined)]),
    await folders.checkStateFolder(stateFolder),
    await folders.checkDisk(stateFolder),
    await checkOpenFiles(config.limits.connections),
    ...daemonFindings(daemon?.status, socket, daemon?.plugins),
    ...storeFindings(daemon?.store, socket),
    ...(daemon === undefined ? [] : otherDaemonFindings(daemon.others, socket)),
  ];
}

const marks = {
  ok: styled('green', 'ok     '),
  warning: styled('yellow', 'warning'),
  fault: styled('red', 'fault  '),
} as const;

function show(terminal: Terminal, findings: readonly Finding[]): void {
  for (const { check, state, message, remedy } of findings) {
    terminal.line(marks[state], ' ', styled('bold', check), `: ${message}`);
    if (remedy !== undefined) terminal.line('        ', styled('cyan', remedy));
  }
  const faults = findings.filter(({ state }) => state === 'fault').length;
  const warnings = findings.filter(({ state }) => state === 'warning').length;
  terminal.line();
  terminal.line(
    faults === 0
      ? styled('green', warnings === 0 ? 'all is well' : `no faults, ${plural(warnings, 'warning')}`)
      : styled('red', `${plural(faults, 'fault')}, ${plural(warnings, 'warning')}`),
  );
}
