// Holds the language of the sources and the documentation: words of an earlier dialect that plain words have replaced,
// and comments and prose that are wider than 120 columns. The width of code is held by prettier.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Check } from './check.ts';

const columns = 120;

interface Retired {
  readonly word: RegExp;
  readonly instead: string;
}

/** The plain word is what Node's or Go's documentation would say. */
const retired: readonly Retired[] = [
  { word: /\banew\b/i, instead: 'again' },
  { word: /\bmend(?:s|ed)?\b/i, instead: 'fix, correct or repair' },
  { word: /\bheed(?:s|ed)?\b/i, instead: 'react to, or ignore' },
  { word: /\bnot bear\b/i, instead: 'crashes if' },
  { word: /\bnobody's loss\b/i, instead: 'ignored' },
  { word: /\bin vain\b/i, instead: 'without success' },
  { word: /\bas many as (?:it|they|there) may\b/i, instead: 'the limit' },
  { word: /\bforgives\b/i, instead: 'resets the failure count' },
];

/** Reports of measurements, foreign texts, plugins that are wrong on purpose, and this list. */
const exempt = /^(?:docs\/benchmarks\.md|THIRD-PARTY-NOTICES\.md|test\/fixtures\/|scripts\/check\/language\.ts$)/;

export const language: Check = {
  name: 'language',
  async run(root) {
    const { stdout } = await promisify(execFile)(
      'git',
      ['ls-files', '-z', '*.ts', '*.mts', '*.cts', '*.md', 'web/*.js'],
      { cwd: root },
    );
    const files = stdout.split('\0').filter((file) => file !== '' && !exempt.test(file));
    const faults = await Promise.all(
      files.map(async (file) => languageFaults(file, await readFile(join(root, file), 'utf8').catch(() => ''))),
    );
    return faults.flat();
  },
};

export function languageFaults(file: string, text: string): string[] {
  const isProse = proseOf(file);
  return text.split('\n').flatMap((line, at) => {
    const place = `${file}:${String(at + 1)}`;
    const found = retired.flatMap(({ word, instead }) => {
      const match = word.exec(line);
      return match === null ? [] : [`${place} says "${match[0]}"; write ${instead}`];
    });
    return isProse(line) && line.length > columns
      ? [...found, `${place} is ${String(line.length)} columns wide; wrap it at ${String(columns)}`]
      : found;
  });
}

/**
 * Whether a line, given in order, is text for people that can be wrapped: not code, a table, a heading or a generated
 * part.
 */
function proseOf(file: string): (line: string) => boolean {
  if (!file.endsWith('.md'))
    return (line) =>
      /^\s*(?:\/\/ |\* |\/\*\* )/.test(line) && !/^\s*\/\/ eslint-/.test(line) && line.trim().includes(' ', 40);
  let isCode = false;
  let isGenerated = false;
  return (line) => {
    if (/^\s*```/.test(line)) isCode = !isCode;
    if (line.includes('<!-- begin:')) isGenerated = true;
    if (line.includes('<!-- end:')) isGenerated = false;
    return !isCode && !isGenerated && !/^\s*(?:\||#|<|```)/.test(line) && line.slice(0, columns).trim().includes(' ');
  };
}
