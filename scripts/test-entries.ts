// The files that Node's test runner is given in place of the test files: each runs a group of them in one process, and
// keeps notes of which it has begun and ended.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GroupRun } from './test-group.ts';
import type { TestGroup } from './test-groups.ts';

const runner = new URL('./test-group.ts', import.meta.url).href;

interface Note {
  readonly what: string;
  readonly atMs: number;
  readonly file: string;
}

export class GroupEntries {
  readonly paths: readonly string[];
  readonly #folder = mkdtempSync(join(tmpdir(), 'nagaya-tests-'));
  readonly #groups: ReadonlyMap<string, TestGroup>;

  constructor({ root, testMs }: Pick<GroupRun, 'root' | 'testMs'>, groups: readonly TestGroup[]) {
    this.#groups = new Map(groups.map((group) => [join(this.#folder, `${group.name}.test.mjs`), group]));
    this.paths = [...this.#groups.keys()];
    for (const [path, { files }] of this.#groups) {
      const run: GroupRun = { root, files, testMs, notes: notesOf(path) };
      writeFileSync(
        path,
        `import { runGroup } from ${JSON.stringify(runner)};\nawait runGroup(${JSON.stringify(run)});\n`,
      );
      writeFileSync(notesOf(path), '');
    }
  }

  /** Which file the process of an entry is at, or the last one it was at. */
  running(path: string): string | undefined {
    return this.#groups.has(path) ? readNotes(path).at(-1)?.file : undefined;
  }

  /** What ended its process before it was over, and what did not get its turn because of that. */
  unfinished(): { readonly interrupted: readonly string[]; readonly waiting: readonly string[] } {
    const interrupted: string[] = [];
    const waiting: string[] = [];
    for (const [path, { files }] of this.#groups) {
      const notes = readNotes(path);
      const has = (what: string, file: string): boolean =>
        notes.some((note) => note.what === what && note.file === file);
      for (const file of files)
        if (!has('began', file)) waiting.push(file);
        else if (!has('ended', file)) interrupted.push(file);
    }
    return { interrupted, waiting };
  }

  eachTook(tell: (file: string, seconds: number) => void): void {
    for (const path of this.paths) {
      const notes = readNotes(path);
      for (const { what, atMs, file } of notes) {
        const ended = notes.find((note) => note.what === 'ended' && note.file === file);
        if (what === 'began' && ended !== undefined) tell(file, (ended.atMs - atMs) / 1000);
      }
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const notesOf = (path: string): string => `${path}.notes`;

function readNotes(path: string): Note[] {
  return readFileSync(notesOf(path), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [what = '', atMs = '', ...file] = line.split(' ');
      return { what, atMs: Number(atMs), file: file.join(' ') };
    });
}
