// What may stand at the end of a half-written command line, read from the tree of commands itself; ids and tools come
// from the daemon where one answers at once.
import type { Argument, Command, Option } from 'commander';
import { connect } from '../../protocol/client/client.ts';
import { defaultSocketPath } from '../../protocol/client/socket-path.ts';

export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** What the shell itself completes in addition. */
export type PathKind = 'files' | 'folders' | 'none';

export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly paths: PathKind;
}

/** The daemon's part; every answer may be empty, and none may be late. */
export interface KnownNames {
  plugins(): Promise<readonly Candidate[]>;
  tools(plugin: string): Promise<readonly Candidate[]>;
  runtimes(): Promise<readonly Candidate[]>;
  /** By their whole addresses. */
  workers(): Promise<readonly Candidate[]>;
  /** Of every runtime. */
  profiles(): Promise<readonly Candidate[]>;
}

const nothing: Completion = { candidates: [], paths: 'none' };

interface Place {
  readonly command: Command;
  readonly positional: readonly string[];
  /** The option whose value comes next. */
  readonly option: Option | undefined;
  /** Behind `--` nothing is an option. */
  readonly onlyArguments: boolean;
}

/** Where the word that is being written stands, after the words before it. */
function placeOf(program: Command, before: readonly string[]): Place {
  let command = program;
  let positional: string[] = [];
  let option: Option | undefined;
  let onlyArguments = false;
  for (const word of before) {
    if (option !== undefined && !word.startsWith('-')) {
      if (!option.variadic) option = undefined;
    } else if (word === '--') {
      onlyArguments = true;
      option = undefined;
    } else if (word.startsWith('-') && !onlyArguments) {
      const named = optionsOf(program, command).find(({ long, short }) => word === long || word === short);
      option = named?.required === true || named?.optional === true ? named : undefined;
    } else {
      const inner =
        positional.length === 0 ? command.commands.find((candidate) => candidate.name() === word) : undefined;
      if (inner === undefined) positional = [...positional, word];
      else command = inner;
    }
  }
  return { command, positional, option, onlyArguments };
}

function optionsOf(program: Command, command: Command): Option[] {
  const own = command.createHelp().visibleOptions(command);
  const shared =
    command === program
      ? []
      : program
          .createHelp()
          .visibleOptions(program)
          .filter(({ long }) => long !== '--version' && long !== '--help');
  return [...own, ...shared];
}

const fileNames = /^(?:path|file)$/;
const folderNames = /^(?:folders?|dir)$/;

/** Arguments and option values say by their name what they are. */
async function valuesOf(
  name: string,
  choices: readonly string[] | undefined,
  known: KnownNames,
  positional: readonly string[],
): Promise<Completion> {
  if (choices !== undefined) return { candidates: choices.map((value) => ({ value, description: '' })), paths: 'none' };
  if (name === 'plugin') return { candidates: await known.plugins(), paths: 'none' };
  if (name === 'runtime') return { candidates: await known.runtimes(), paths: 'none' };
  if (name === 'worker') return { candidates: await known.workers(), paths: 'none' };
  if (name === 'profile') return { candidates: await known.profiles(), paths: 'none' };
  if (name === 'tool') return { candidates: await known.tools(positional[0] ?? ''), paths: 'none' };
  if (fileNames.test(name)) return { candidates: [], paths: 'files' };
  if (folderNames.test(name)) return { candidates: [], paths: 'folders' };
  return nothing;
}

const valueName = (option: Option): string => /[<[]([a-z]+)/.exec(option.flags)?.[1] ?? '';

async function at(program: Command, place: Place, word: string, known: KnownNames): Promise<Completion> {
  const { command, positional, option, onlyArguments } = place;
  if (option !== undefined && !word.startsWith('-'))
    return await valuesOf(valueName(option), option.argChoices, known, positional);
  if (word.startsWith('-') && !onlyArguments) {
    const options = optionsOf(program, command);
    return {
      candidates: options.map(({ long, short, description }) => ({ value: long ?? short ?? '', description })),
      paths: 'none',
    };
  }
  if (command.commands.length > 0 && positional.length === 0) {
    const commands = command.createHelp().visibleCommands(command);
    return {
      candidates: commands.map((inner) => ({ value: inner.name(), description: inner.description() })),
      paths: 'none',
    };
  }
  const declared: readonly Argument[] = command.registeredArguments;
  const last = declared.at(-1);
  const argument = declared[positional.length] ?? (last?.variadic === true ? last : undefined);
  return argument === undefined ? nothing : await valuesOf(argument.name(), argument.argChoices, known, positional);
}

/** `words` are those after the command's own name; the last is the one being written, and may be empty. */
export async function completionOf(program: Command, words: readonly string[], known: KnownNames): Promise<Completion> {
  const word = words.at(-1) ?? '';
  const found = await at(program, placeOf(program, words.slice(0, -1)), word, known);
  return { ...found, candidates: found.candidates.filter(({ value }) => value.startsWith(word)) };
}

const daemonMs = 300;

/** The socket that the half-written line names, or the user's own. */
export function socketIn(words: readonly string[]): string {
  const named = words.lastIndexOf('--socket');
  return (named === -1 ? undefined : words[named + 1]) ?? defaultSocketPath();
}

export function daemonNames(socket: string): KnownNames {
  return {
    plugins: () =>
      ask(socket, async (client) => {
        const { plugins } = await client.call('plugin.list', {});
        return plugins.map(({ id, name }) => ({ value: id, description: name }));
      }),
    tools: (plugin) =>
      ask(socket, async (client) => {
        const { tools } = await client.call('tool.list', { plugin });
        return tools.map(({ name, description }) => ({ value: name, description }));
      }),
    runtimes: () =>
      ask(socket, async (client) => {
        const { runtimes } = await client.call('runtime.list', {});
        return runtimes.map(({ runtimeId, displayName }) => ({ value: runtimeId, description: displayName }));
      }),
    workers: () =>
      ask(socket, async (client) => {
        const { workers } = await client.call('worker.list', { limit: 200 });
        return workers.map(({ runtimeId, workerId, displayName }) => ({
          value: `${runtimeId}/${workerId}`,
          description: displayName,
        }));
      }),
    profiles: () =>
      ask(socket, async (client) => {
        const { runtimes } = await client.call('runtime.list', {});
        const shown = await Promise.all(runtimes.map(({ runtimeId }) => client.call('runtime.show', { runtimeId })));
        return shown.flatMap(({ profiles }) => profiles.map(({ name, description }) => ({ value: name, description })));
      }),
  };
}

async function ask(
  socket: string,
  use: (client: Awaited<ReturnType<typeof connect>>) => Promise<Candidate[]>,
): Promise<Candidate[]> {
  try {
    const client = await connect({ socket, connectMs: daemonMs, callMs: daemonMs });
    try {
      return await use(client);
    } finally {
      await client.close();
    }
  } catch {
    // No daemon, or none that answers at once: a shell that waits for one would be worse than no ids.
    return [];
  }
}
