// Holds the documentation against the code: the generated sections are current, every field of the configuration is
// described, links lead somewhere, decisions are listed, and the commands that are shown exist.
import { access, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { config } from '../../daemon/config/schema.ts';
import { errorKinds } from '../../protocol/errors.ts';
import { program } from '../docs/commands.ts';
import { faultIds } from '../../daemon/faults/catalogue.ts';
import { serverFaultIds } from '../../daemon/faults/server-catalogue.ts';
import { fieldsOf } from '../docs/fields.ts';
import { generatedPages, markdownPages } from '../docs/pages.ts';
import type { Check } from './check.ts';
import { type Snippet, commandFault, snippetsIn } from './command-snippets.ts';

export const docs: Check = {
  name: 'docs',
  async run(root) {
    const pages = await Promise.all(
      (await markdownPages(root)).map(async (path) => ({ path, text: await readFile(join(root, path), 'utf8') })),
    );
    return [
      ...(await staleSections(root)),
      ...undescribedFields(),
      ...(await deadLinks(root, pages)),
      ...unlistedDecisions(pages),
      ...unlistedFaults(pages),
      ...(await unknownCommands(pages)),
    ];
  },
};

interface Text {
  readonly path: string;
  readonly text: string;
}

async function staleSections(root: string): Promise<string[]> {
  return (await generatedPages(root)).flatMap(({ path, present, wanted, faults }) => {
    if (faults.length > 0) return faults.map((fault) => `${path} ${fault}`);
    return present === wanted
      ? []
      : [`${path}:${String(firstDifference(present, wanted))} is not what the code says; run npm run docs`];
  });
}

function firstDifference(present: string, wanted: string): number {
  const lines = wanted.split('\n');
  const at = present.split('\n').findIndex((line, index) => line !== lines[index]);
  return at === -1 ? lines.length : at + 1;
}

function undescribedFields(): string[] {
  return fieldsOf(config)
    .filter(({ meaning }) => meaning === '')
    .map(({ path }) => `daemon/config/schema.ts describes no meaning of ${path}; add .describe('…')`);
}

/** Lines outside fenced blocks, with their numbers. */
function proseLines(text: string): [line: number, text: string][] {
  let fenced = false;
  return text.split('\n').flatMap((line, at): [number, string][] => {
    const fence = /^\s*(```|~~~)/.test(line);
    if (fence) fenced = !fenced;
    return fence || fenced ? [] : [[at + 1, line.replace(/`[^`]*`/g, '')]];
  });
}

const link = /\[[^\]]*\]\(<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s+(\S+)/g;

async function deadLinks(root: string, pages: readonly Text[]): Promise<string[]> {
  const faults: string[] = [];
  for (const { path, text } of pages) {
    for (const [line, prose] of proseLines(text)) {
      for (const [, inline, reference] of prose.matchAll(link)) {
        const fault = await linkFault(root, path, inline ?? reference ?? '', text);
        if (fault !== undefined) faults.push(`${path}:${String(line)} ${fault}`);
      }
    }
  }
  return faults;
}

async function linkFault(root: string, page: string, target: string, text: string): Promise<string | undefined> {
  if (/^[a-z]+:/i.test(target)) return undefined;
  const [path = '', anchor] = decodeURI(target).split('#');
  const file = path === '' ? join(root, page) : join(root, dirname(page), path);
  try {
    await access(file);
  } catch {
    // Whatever the reason, a reader would not get there.
    return `links to ${target}, which does not exist`;
  }
  if (anchor === undefined || !file.endsWith('.md')) return undefined;
  const there = path === '' ? text : await readFile(file, 'utf8');
  return headingAnchors(there).has(anchor) ? undefined : `links to ${target}, where no heading has that anchor`;
}

/** As GitHub makes them. */
function headingAnchors(text: string): Set<string> {
  const headings = text.split('\n').flatMap((line) => /^#{1,6}\s+(.*)$/.exec(line)?.[1] ?? []);
  return new Set(
    headings.map((heading) =>
      heading
        .trim()
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

const decisionsFolder = 'docs/decisions';
const decisionsList = `${decisionsFolder}/README.md`;

function unlistedDecisions(pages: readonly Text[]): string[] {
  const decisions = pages.filter(({ path }) => dirname(path) === decisionsFolder && path !== decisionsList);
  const list = pages.find(({ path }) => path === decisionsList)?.text;
  if (list === undefined) return decisions.length === 0 ? [] : [`${decisionsList} is missing; it lists the decisions`];
  return decisions
    .filter(({ path }) => !list.includes(`(${basename(path)})`) && !list.includes(`(./${basename(path)})`))
    .map(({ path }) => `${decisionsList} does not link ${basename(path)}`);
}

const faultsPage = 'docs/faults.md';

/** The figures are those of one run; the faults are those of the catalogue. */
function unlistedFaults(pages: readonly Text[]): string[] {
  const text = pages.find(({ path }) => path === faultsPage)?.text ?? '';
  const section = text.slice(text.indexOf('<!-- begin:faults -->'), text.indexOf('<!-- end:faults -->'));
  return [...faultIds, ...serverFaultIds]
    .filter((id) => !section.includes(`| \`${id}\` |`))
    .map((id) => `${faultsPage} lists no fault ${id}; run npm run docs:faults`);
}

async function unknownCommands(pages: readonly Text[]): Promise<string[]> {
  const remedies = Object.entries(errorKinds).map(([code, { remedy }]): Text => ({
    path: `protocol/errors.ts (${code})`,
    text: remedy,
  }));
  const shown: Snippet[] = [...pages, ...remedies].flatMap(({ path, text }) => snippetsIn(path, text));
  const commands = await program();
  return shown.flatMap((snippet) => {
    const fault = commandFault(commands, snippet.words);
    return fault === undefined ? [] : [`${snippet.where} shows "${snippet.text}": ${fault}`];
  });
}
