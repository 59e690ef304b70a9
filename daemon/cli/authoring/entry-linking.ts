// Whether a plugin's entry, with all that it imports, can be read, parsed and linked: found out in a process of its own,
// within a deadline, and without running any of it.
import { spawn } from 'node:child_process';
import { relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Issue } from '../../../protocol/errors.ts';
import { cellEntry } from '../../isolates/entries.ts';
import type { LoadedPlugin } from '../../plugins/plugin.ts';

const heapMb = 256;
/** Of what Node has to say; the first lines name the place and the fault. */
const keptLength = 64 * 1024;
const shownLength = 1000;

/** Nothing where it could be imported. */
export async function entryIssues({ folder, entry }: Pick<LoadedPlugin, 'folder' | 'entry'>, deadlineMs: number): Promise<Issue[]> {
  const { code, said } = await link(folder, entry, deadlineMs);
  if (code === 0) return [];
  const message = code === undefined ? `cannot be read within ${String(deadlineMs)} ms, with all that it imports` : `cannot be imported: ${faultIn(said, folder)}`;
  return [{ path: 'entry', message }];
}

interface Linked {
  /** Absent: not done in time. */
  readonly code: number | null | undefined;
  readonly said: string;
}

/** As a cell would: in the plugin's folder, and with nothing of this process's environment. */
function link(folder: string, entry: string, deadlineMs: number): Promise<Linked> {
  const flags = ['--no-warnings', '--experimental-vm-modules', `--max-old-space-size=${String(heapMb)}`];
  const child = spawn(process.execPath, [...flags, fileURLToPath(cellEntry('entry-check')), pathToFileURL(entry).href], { cwd: folder, env: {}, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, keptLength);
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve({ code: undefined, said });
    }, deadlineMs);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, said });
    });
  });
}

const placeLine = /^((?:file:\/\/)?\/.+?):(\d+)$/;
const errorLine = /^[A-Za-z]*Error\b.*?: ./;
/** How tsx tells of a fault in TypeScript. */
const compilerLine = /^(.+):(\d+):\d+: ERROR: (.+)$/;

/** Node prints the place, the line itself and then the error; what it could not find has no place. */
function faultIn(said: string, folder: string): string {
  const lines = said.split('\n');
  const compiler = lines.map((line) => compilerLine.exec(line)).find((found) => found !== null);
  if (compiler?.[1] !== undefined) return shown(`${placeOf(compiler[1], compiler[2], folder)}: ${compiler[3] ?? ''}`);
  const errorAt = lines.findIndex((line) => errorLine.test(line));
  const error = lines[errorAt] ?? 'the process that tried it ended without a reason';
  // Before the error, and in some Nodes after a place of their own.
  const place = lines.slice(0, Math.max(1, errorAt)).map((line) => placeLine.exec(line)).find((found) => found !== null);
  return shown(place?.[1] === undefined ? error : `${placeOf(place[1], place[2], folder)}: ${error}`);
}

function placeOf(file: string, line: string | undefined, folder: string): string {
  const path = file.startsWith('file:') ? fileURLToPath(file) : file;
  const near = relative(folder, path);
  return `${near.startsWith('..') ? path : near}:${line ?? ''}`;
}

const shown = (text: string): string => (text.length > shownLength ? `${text.slice(0, shownLength)}…` : text);
