// What every command is given: its terminal, the daemon's socket, and one way to run it. A command returns an exit
// code or nothing, and throws what went wrong.
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { type Client, type ClientOptions, connect, defaultSocketPath } from '../../protocol/client/client.ts';
import { longestMs } from '../../protocol/durations.ts';
import { HostError } from '../../protocol/errors.ts';
import { standardError } from '../guardian/standard-error.ts';
import { type ExitCode, asFailure, exitCodes } from './failure.ts';
import type { NamedArguments } from './remedy.ts';
import { Terminal } from './views/terminal.ts';

/** The daemon ends every wait by its own deadlines, the longest being a day; a lost daemon ends the connection. */
const patientMs = 25 * 60 * 60 * 1000;

export class Invocation {
  readonly command: Command;
  readonly terminal: Terminal;
  /** As named by --socket; undefined where nobody did. */
  readonly namedSocket: string | undefined;

  constructor(command: Command) {
    const { json, socket } = command.optsWithGlobals<{ json?: boolean; socket?: string }>();
    this.command = command;
    this.terminal = processTerminal(json === true);
    this.namedSocket = socket === undefined ? undefined : resolve(socket);
  }

  get socket(): string {
    return this.namedSocket ?? defaultSocketPath();
  }

  readonly withDaemon = async <Result>(
    use: (client: Client) => Promise<Result>,
    options: ClientOptions = {},
  ): Promise<Result> => {
    const client = await connect({ socket: this.socket, callMs: patientMs, ...options });
    try {
      return await use(client);
    } finally {
      await client.close();
    }
  };
}

export function processTerminal(json: boolean): Terminal {
  return new Terminal({ out: process.stdout, err: standardError, env: process.env, json });
}

type Run<Args extends readonly unknown[], Options> = (
  invocation: Invocation,
  options: Options,
  ...args: Args
) => Promise<ExitCode | void> | ExitCode | void;

/** Commander hands over the arguments, the options and the command, in this order and untyped. */
export function runs<Args extends readonly unknown[], Options = Record<string, never>>(
  run: Run<Args, Options>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    try {
      const code = await run(
        new Invocation(command),
        given.at(-2) as Options,
        ...(given.slice(0, -2) as unknown as Args),
      );
      process.exitCode = code ?? exitCodes.fine;
    } catch (thrown) {
      // Here it is known what the command line names, which the remedy can then name as well.
      throw thrown instanceof HostError ? asFailure(thrown, argumentsOf(command)) : thrown;
    }
  };
}

function argumentsOf({ registeredArguments, args }: Command): NamedArguments {
  return Object.fromEntries(registeredArguments.map((argument, at) => [argument.name(), args[at]]));
}

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${String(least)} to ${String(most)}.`);
    return value;
  };
}

export const milliseconds = wholeNumber(1, longestMs);

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}
