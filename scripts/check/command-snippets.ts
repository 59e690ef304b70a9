// The `nagaya …` command lines that documentation shows, held against the commands there are.
import type { Command } from 'commander';

export interface Snippet {
  readonly where: string;
  readonly text: string;
  /** What follows `nagaya`, up to where the shell takes over. */
  readonly words: readonly string[];
}

/** Where it is called, after a prompt, a runner or an assignment, not where it is merely named. */
const call = /(?:^|[\s`$|;&(])(?:npx\s+)?nagaya((?:[ \t]+[^\s`|;&<>()#]+)*)/g;

/** In code alone: fenced blocks line by line, and spans between backticks. */
export function snippetsIn(path: string, text: string): Snippet[] {
  const found: Snippet[] = [];
  let fence = '';
  for (const [at, line] of text.split('\n').entries()) {
    const mark = /^\s*(```|~~~)\s*(\S*)/.exec(line);
    if (mark !== null) {
      fence = fence === '' ? `${mark[1] ?? ''}${mark[2] ?? ''}` : '';
      continue;
    }
    const shell = /^(```|~~~)(sh|bash|shell|console|zsh|fish)?$/.test(fence);
    const parts = fence === '' ? [...line.matchAll(/`([^`]+)`/g)].map(([, span]) => span ?? '') : shell ? [line] : [];
    for (const part of parts) found.push(...callsIn(`${path}:${String(at + 1)}`, part));
  }
  return found;
}

function callsIn(where: string, line: string): Snippet[] {
  const code = line.replace(/(^|\s)#.*$/, '');
  const isCall = /^\s*(?:[$>] ?)?(?:[A-Z_]+=\S+ +)*(?:npx +)?nagaya(\s|$)/.test(code) || /[|;&(]\s*nagaya\s/.test(code);
  if (!isCall) return [];
  return [...code.matchAll(call)].map((match) => ({
    where,
    text: match[0].trim(),
    words: (match[1] ?? '')
      .trim()
      .split(/\s+/)
      .filter((word) => word !== ''),
  }));
}

/** A word in capitals, in brackets or with dots stands for what the reader puts there. */
const stands = (word: string): boolean => /^[<['"]?[A-Z]|^[<["'…]|\.\.\./.test(word);

export function commandFault(program: Command, words: readonly string[]): string | undefined {
  let at = program;
  const options = new Set(['--help', '-h', ...flagsOf(program)]);
  for (const word of words) {
    if (word === '--') return undefined;
    if (word.startsWith('-')) {
      const flag = word.split('=')[0] ?? word;
      if (!options.has(flag) && !flagsOf(at).includes(flag)) return `${at.name()} has no option ${flag}`;
      continue;
    }
    if (at.commands.length === 0 || word === 'help') return unknownFlag(at, options, words);
    if (stands(word)) continue;
    const next = at.commands.find((inner) => inner.name() === word || inner.aliases().includes(word));
    if (next === undefined) return `there is no command "${word}"`;
    at = next;
  }
  return undefined;
}

function unknownFlag(command: Command, options: ReadonlySet<string>, words: readonly string[]): string | undefined {
  const end = words.indexOf('--');
  const flags = words
    .slice(0, end === -1 ? words.length : end)
    .filter((word) => /^--?[a-z]/.test(word))
    .map((word) => word.split('=')[0] ?? word);
  const unknown = flags.find((flag) => !options.has(flag) && !flagsOf(command).includes(flag));
  return unknown === undefined ? undefined : `${command.name()} has no option ${unknown}`;
}

const flagsOf = (command: Command): string[] =>
  command.options.flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined));
