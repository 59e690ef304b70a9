// The command line: runs what it asks for and turns what went wrong into words and an exit code.
import { type Command, CommanderError } from 'commander';
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

/** `nagaya help worker send` is `nagaya worker send --help`: commander's own help command knows only the first word. */
const withoutHelpCommand = (argv: readonly string[]): readonly string[] =>
  argv[0] === 'help' && argv.length > 1 ? [...argv.slice(1), '--help'] : argv;

function knowsCommand(program: Command, argv: readonly string[]): boolean {
  let command: Command | undefined = program;
  for (const word of argv) {
    if (word.startsWith('-') || word === 'help' || command.commands.length === 0) return true;
    command = command.commands.find((known) => known.name() === word);
    if (command === undefined) return false;
  }
  return true;
}

/**
 * With --help among the words, commander prints its general help for a command that it does not know, as if nothing
 * were wrong.
 */
const withoutHelpOption = (argv: readonly string[]): readonly string[] =>
  argv.filter((word) => word !== '--help' && word !== '-h');

export async function main(given: readonly string[]): Promise<void> {
  if (given[0] === completeCommand) return await complete(given.slice(1));
  const argv = withoutHelpCommand(given);
  const program = await buildProgram(argv);
  try {
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      process.exitCode = exitCodes.usage;
      return;
    }
    await program.parseAsync(knowsCommand(program, argv) ? argv : withoutHelpOption(argv), { from: 'user' });
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
  return usageFailure(
    `${message}.`.replace(/\.\.$/, '.'),
    hint === '' ? 'See `nagaya --help`, or --help after the name of a command.' : hint,
  );
}
