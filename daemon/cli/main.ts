// The command line: runs what it asks for and turns what went wrong into words and an exit code.
import { CommanderError } from 'commander';
import { asFailure, exitCodes, reportFailure, usageFailure } from './failure.ts';
import { processTerminal } from './invocation.ts';
import { buildProgram } from './program.ts';
import { oneLine } from './views/terminal.ts';

/** A reader that has gone (`nagaya logs | head`) is no fault; whoever must outlive it listens for it as well. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  if (process.stdout.listenerCount('error') === 1) process.exit(exitCodes.fine);
});

/** Nobody is left to complain to. */
process.stderr.on('error', () => undefined);

/** What a shell asks for while a person types; its words are no command line yet. */
const completeCommand = '__complete';

async function complete(words: readonly string[]): Promise<void> {
  const { completionOf, daemonNames, socketIn } = await import('./completion-words.ts');
  const { candidates, paths } = await completionOf(await buildProgram(), words, daemonNames(socketIn(words)));
  const terminal = processTerminal(false);
  for (const { value, description } of candidates) terminal.text(`${oneLine(value)}\t${oneLine(description)}`);
  terminal.text(`:${paths}`);
}

export async function main(argv: readonly string[]): Promise<void> {
  if (argv[0] === completeCommand) return await complete(argv.slice(1));
  const program = await buildProgram(argv);
  try {
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      process.exitCode = exitCodes.usage;
      return;
    }
    await program.parseAsync(argv, { from: 'user' });
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return;
    // A group without its command (`nagaya config`): its help has been printed.
    if (thrown instanceof CommanderError && thrown.code === 'commander.help') {
      process.exitCode = exitCodes.usage;
      return;
    }
    const failure = thrown instanceof CommanderError ? usageFailureOf(thrown) : asFailure(thrown);
    reportFailure(processTerminal(argv.includes('--json')), failure);
    process.exitCode = failure.exitCode;
  }
}

/** Commander's own text: "error: unknown command 'stauts'\n(Did you mean status?)". */
function usageFailureOf(error: CommanderError): ReturnType<typeof usageFailure> {
  const [message = '', ...hints] = error.message.replace(/^error: /, '').split('\n');
  const hint = hints.join(' ').replace(/^\(|\)$/g, '');
  return usageFailure(`${message}.`.replace(/\.\.$/, '.'), hint === '' ? 'See `nagaya --help`, or --help after the name of a command.' : hint);
}
