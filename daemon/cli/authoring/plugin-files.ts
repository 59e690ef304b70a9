// Notices that a plugin's files changed, by looking at them again and again. The kernel's own notices are not to be
// relied on for a whole tree: on Linux this Node has no recursive watch that sees every new folder, and network and
// container file systems send none. A look at a plugin's few files costs less than a millisecond.
import { type Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface FileChanges {
  /** Relative to the folder, sorted, and only the first few. */
  readonly paths: readonly string[];
  readonly total: number;
}

export interface PluginFilesOptions {
  readonly folder: string;
  readonly lookMs?: number;
  /** Files beyond this are not looked at. */
  readonly maxFiles?: number;
}

const defaultLookMs = 250;
const defaultMaxFiles = 5000;
const maxDepth = 16;
/** Of its time, looking takes at most a twentieth, however many files there are. */
const restFactor = 20;
const namedPaths = 5;

type Looked = ReadonlyMap<string, string>;

export class PluginFiles {
  readonly #folder: string;
  readonly #lookMs: number;
  readonly #maxFiles: number;
  #known: Looked = new Map();
  #lookedForMs = 0;
  #stop: (() => void) | undefined;
  #stopped = false;

  constructor({ folder, lookMs = defaultLookMs, maxFiles = defaultMaxFiles }: PluginFilesOptions) {
    this.#folder = folder;
    this.#lookMs = lookMs;
    this.#maxFiles = maxFiles;
  }

  /** How many files are looked at; `atLimit` when there are more. */
  get watched(): { readonly files: number; readonly atLimit: boolean } {
    return { files: this.#known.size, atLimit: this.#known.size >= this.#maxFiles };
  }

  /** What is there now is what later looks are held against. */
  async begin(): Promise<void> {
    this.#known = await this.#look();
  }

  /** Resolves once something changed and has come to rest: a save is often several writes. Undefined after `stop`. */
  async changed(): Promise<FileChanges | undefined> {
    for (;;) {
      if (!(await this.#rest())) return undefined;
      let now = await this.#look();
      if (difference(this.#known, now).length === 0) continue;
      for (let before: Looked | undefined; before === undefined || difference(before, now).length > 0;) {
        if (!(await this.#rest())) return undefined;
        before = now;
        now = await this.#look();
      }
      const paths = difference(this.#known, now);
      this.#known = now;
      // Changed and changed back: nothing has happened.
      if (paths.length > 0) return { paths: paths.slice(0, namedPaths), total: paths.length };
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#stop?.();
  }

  #rest(): Promise<boolean> {
    if (this.#stopped) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(!this.#stopped), Math.max(this.#lookMs, this.#lookedForMs * restFactor));
      this.#stop = () => {
        clearTimeout(timer);
        resolve(false);
      };
    });
  }

  async #look(): Promise<Looked> {
    const beganMs = performance.now();
    const found = new Map<string, string>();
    await this.#lookInto('', 0, found);
    this.#lookedForMs = performance.now() - beganMs;
    return found;
  }

  async #lookInto(under: string, depth: number, found: Map<string, string>): Promise<void> {
    const entries = await readdir(join(this.#folder, under), { withFileTypes: true }).catch(() => {
      // Gone, or being replaced at this moment: the next look sees what came of it.
      return [];
    });
    for (const entry of entries) {
      if (found.size >= this.#maxFiles) return;
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
      const path = join(under, entry.name);
      if (entry.isDirectory()) {
        if (depth < maxDepth) await this.#lookInto(path, depth + 1, found);
        continue;
      }
      // A link counts as what it leads to; a linked folder is not walked, since it may lead anywhere.
      const stats = await stat(join(this.#folder, path)).catch(() => undefined);
      if (stats?.isFile() === true) found.set(path, markOf(stats));
    }
  }
}

const markOf = ({ ino, size, mtimeMs }: Stats): string => `${String(ino)} ${String(size)} ${String(mtimeMs)}`;

function difference(before: Looked, now: Looked): string[] {
  const gone = [...before.keys()].filter((path) => !now.has(path));
  const others = [...now].filter(([path, mark]) => before.get(path) !== mark).map(([path]) => path);
  return [...gone, ...others].sort();
}
