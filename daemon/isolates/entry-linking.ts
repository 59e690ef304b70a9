// Whether a plugin's entry, with all that it imports, can be read, parsed and linked: found out in a process of its
// own, within a deadline, and without running any of it.
import { spawn } from 'node:child_process';
import { relative } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { cellEntry } from './entries.ts';

const heapMb = 256;
/** Of what Node has to say; the first lines name the place and the fault. */
const keptLength = 64 * 1024;
const shownLength = 1000;
/** Of an entry that is looked into, in characters. */
const longestSource = 4 * 1024 * 1024;

/** Real paths. */
export interface PluginPlace {
  readonly folder: string;
  readonly entry: string;
}

export interface LinkFault {
  /** `lib/part.js:3:7`, relative to the plugin's folder; absent where it is not known. */
  readonly place?: string;
  /** `SyntaxError: Unexpected token ';'` */
  readonly error: string;
}

export interface LinkResult {
  /** Why the entry cannot be linked; undefined if it can. */
  readonly fault: LinkFault | 'deadline' | undefined;
  /** The names of what it exports, if it can. */
  readonly exports: readonly string[];
  /** The entry's source in JavaScript, if it is a module and not too long. */
  readonly source: string | undefined;
}

export async function linkEntry({ folder, entry }: PluginPlace, deadlineMs: number): Promise<LinkResult> {
  const { code, said, exported, source } = await link(folder, entry, deadlineMs);
  if (code === 0)
    return {
      fault: undefined,
      exports: namesIn(exported),
      source: source === '' || source.length > longestSource ? undefined : source,
    };
  return { fault: code === undefined ? 'deadline' : faultIn(said, folder), exports: [], source: undefined };
}

/** Returns why the entry cannot be linked, or undefined if it can. */
export async function linkFault(plugin: PluginPlace, deadlineMs: number): Promise<LinkFault | 'deadline' | undefined> {
  return (await linkEntry(plugin, deadlineMs)).fault;
}

function namesIn(json: string): string[] {
  const names: unknown = JSON.parse(json);
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
}

interface Linked {
  /** Absent: not done in time. */
  readonly code: number | null | undefined;
  readonly said: string;
  /** The names of what the entry exports, as JSON, where it could be linked. */
  readonly exported: string;
  readonly source: string;
}

/** As a cell would: in the plugin's folder, and with nothing of this process's environment. */
function link(folder: string, entry: string, deadlineMs: number): Promise<Linked> {
  const flags = ['--no-warnings', '--experimental-vm-modules', `--max-old-space-size=${String(heapMb)}`];
  const child = spawn(
    process.execPath,
    [...flags, fileURLToPath(cellEntry('entry-check')), pathToFileURL(entry).href],
    { cwd: folder, env: {}, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] },
  );
  let said = '';
  let exported = '';
  let source = '';
  // All three are asked for as pipes.
  const [, stdout, stderr, sources] = child.stdio as unknown as Readable[];
  stdout?.setEncoding('utf8').on('data', (text: string) => {
    exported += text;
  });
  stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, keptLength);
  });
  sources?.setEncoding('utf8').on('data', (text: string) => {
    if (source.length <= longestSource) source += text;
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve({ code: undefined, said, exported, source });
    }, deadlineMs);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, said, exported, source });
    });
  });
}

const placeLine = /^((?:file:\/\/)?\/.+?):(\d+)$/;
/** Between the place and the carets. */
const mostSourceLines = 6;
const caretLine = /^(\s*)\^/;
const errorLine = /^[A-Za-z]*Error\b.*?: ./;
/** How tsx reports a fault in TypeScript. */
const compilerLine = /^(.+):(\d+):(\d+): ERROR: (.+)$/;

/** Node prints the place, the line of source, carets below what is wrong, and then the error. */
function faultIn(said: string, folder: string): LinkFault {
  const lines = said.split('\n');
  const compiler = lines.map((line) => compilerLine.exec(line)).find((found) => found !== null);
  if (compiler !== undefined) {
    const [, file = '', line = '', column = '', error = ''] = compiler;
    // esbuild counts columns from 0.
    return { place: `${nearName(file, folder)}:${line}:${String(Number(column) + 1)}`, error: shown(error) };
  }
  const errorAt = lines.findIndex((line) => errorLine.test(line));
  const error = shown(lines[errorAt] ?? 'the process that tried it ended without a reason');
  const place = placeIn(lines.slice(0, Math.max(1, errorAt)), folder);
  return place === undefined ? { error } : { place, error };
}

/** Finds the place that Node prints above an error; some versions of Node print one of their own before it. */
export function placeIn(lines: readonly string[], folder: string): string | undefined {
  for (const [index, line] of lines.entries()) {
    const found = placeLine.exec(line);
    if (found === null) continue;
    // Node's own reader of TypeScript prints the lines before the wrong one as well.
    const caret = lines
      .slice(index + 2, index + 2 + mostSourceLines)
      .map((source) => caretLine.exec(source))
      .find((match) => match !== null);
    const column =
      caret === undefined ? endColumn(lines[index + 1], lines[index + 2]) : `:${String((caret[1] ?? '').length + 1)}`;
    return `${nearName(found[1] ?? '', folder)}:${found[2] ?? ''}${column}`;
  }
  return undefined;
}

/** Where the input ends too soon, Node prints the line and no caret below it: the place is the line's end. */
const endColumn = (source: string | undefined, below: string | undefined): string =>
  source !== undefined && below?.trim() === '' ? `:${String(source.length + 1)}` : '';

/** The file relative to the plugin's folder where it lies inside it. */
export function nearName(file: string, folder: string): string {
  const path = file.startsWith('file:') ? fileURLToPath(file) : file;
  const near = relative(folder, path);
  return near.startsWith('..') ? path : near;
}

const shown = (text: string): string => (text.length > shownLength ? `${text.slice(0, shownLength)}…` : text);
