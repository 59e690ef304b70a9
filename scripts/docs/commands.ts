// The commands of `nagaya` as they really are: read from the tree of commands that the program itself runs.
import type { Command } from 'commander';
import { code, table } from './table.ts';

/** Loaded only when asked for: the whole command comes with it. */
export async function program(): Promise<Command> {
  const { buildProgram } = await import('../../daemon/cli/program.ts');
  return buildProgram();
}

interface Leaf {
  readonly name: string;
  readonly command: Command;
}

const isHidden = (command: Command): boolean => command.name() === 'help' || command.name().startsWith('_');

function leaves(command: Command, before: string): Leaf[] {
  return command.commands
    .filter((inner) => !isHidden(inner))
    .flatMap((inner) => {
      const name = `${before} ${inner.name()}`;
      return inner.commands.length === 0 ? [{ name, command: inner }] : leaves(inner, name);
    });
}

export async function commandsTable(): Promise<string> {
  return table(
    ['command', 'what it does', 'options'],
    leaves(await program(), 'nagaya').map(({ name, command }) => [
      code(
        [
          name,
          ...command.registeredArguments.map((argument) =>
            usage(argument.name(), argument.required, argument.variadic),
          ),
        ].join(' '),
      ),
      command.description(),
      command.options
        .filter((option) => !option.hidden)
        .map((option) => code(option.flags))
        .join(', '),
    ]),
  );
}

function usage(name: string, required: boolean, variadic: boolean): string {
  const text = variadic ? `${name}...` : name;
  return required ? `<${text}>` : `[${text}]`;
}
