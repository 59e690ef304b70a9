// A copy of a plugin's files as they were when its service last started, for plugins that are reloaded after they have
// stopped: if the new code does not start, the old code can be started again, although the plugin's folder no longer
// holds it. Only the folder's own files are copied. What the code imports from outside (node_modules, a sibling folder)
// is linked and therefore the present one.
import type { Dirent } from 'node:fs';
import { cp, readdir, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolders } from '../files/make-folders.ts';
import type { LoadedPlugin } from './plugin.ts';

const keptWithinMs = 5000;
const mostFiles = 5000;
const mostBytes = 64 * 1024 * 1024;
/** Never code that is loaded from the copy. */
const leftOut: ReadonlySet<string> = new Set(['node_modules', '.git']);

export class KeptCode {
  readonly #root: string;
  readonly #onTrouble: (message: string) => void;
  #generation = 0;
  /** Ends with the newest copy, or with nothing where none could be made. */
  #copy: Promise<LoadedPlugin | undefined> = Promise.resolve(undefined);

  /** `root` belongs to this plugin alone. */
  constructor(root: string, onTrouble: (message: string) => void) {
    this.#root = root;
    this.#onTrouble = onTrouble;
  }

  /** Copies what the plugin's folder holds now; the copy before is removed. Never rejects, and ends at its deadline. */
  async keep(plugin: LoadedPlugin): Promise<void> {
    // It runs from the copy already.
    if (plugin.codeFolder !== undefined) return;
    const before = this.#copy;
    this.#generation += 1;
    const folder = join(this.#root, String(this.#generation));
    this.#copy = before.then(() => this.#make(plugin, folder));
    await this.kept();
  }

  /** The plugin with the code that was kept; undefined where none is, or a disk does not let it be known in time. */
  kept(): Promise<LoadedPlugin | undefined> {
    return withDeadline(this.#copy, keptWithinMs);
  }

  /** Ends at the deadline where the disk hangs. */
  async remove(deadlineMs: number): Promise<void> {
    if (this.#generation === 0) return;
    const removed = this.#copy.then(() => rm(this.#root, { recursive: true, force: true }));
    removed.catch(() => {}); // The next daemon removes it when it keeps code itself.
    await withDeadline(removed, deadlineMs);
  }

  async #make(plugin: LoadedPlugin, mirror: string): Promise<LoadedPlugin | undefined> {
    try {
      await rm(this.#root, { recursive: true, force: true });
      await requireSmall(plugin.folder);
      // The copy has the same path below the mirror as the folder has below the root, so that imports resolve alike.
      const codeFolder = join(mirror, plugin.folder);
      makeFolders(codeFolder);
      await cp(plugin.folder, codeFolder, {
        recursive: true,
        filter: (path) => path === plugin.folder || !leftOut.has(relative(dirname(path), path)),
      });
      await linkSurroundings(plugin.folder, mirror);
      return { ...plugin, codeFolder, entry: join(codeFolder, relative(plugin.folder, plugin.entry)) };
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      this.#onTrouble(`The code that runs could not be kept for a reload that fails: ${why}`);
      return undefined;
    }
  }
}

/** Undefined where it fails or takes longer. */
async function withDeadline<Value>(promise: Promise<Value>, deadlineMs: number): Promise<Value | undefined> {
  const late = new AbortController();
  const deadline = sleep(deadlineMs, undefined, { signal: late.signal });
  try {
    return await Promise.race([promise.catch(() => undefined), deadline]);
  } finally {
    deadline.catch(() => {}); // It ends by the abort.
    late.abort();
  }
}

async function requireSmall(folder: string): Promise<void> {
  let files = 0;
  let bytes = 0;
  const look = async (path: string): Promise<void> => {
    for (const entry of await entries(path)) {
      if (leftOut.has(entry.name)) continue;
      files += 1;
      if (entry.isDirectory()) await look(join(path, entry.name));
      else if (entry.isFile()) bytes += (await stat(join(path, entry.name))).size;
      if (files > mostFiles || bytes > mostBytes)
        throw new Error(`the plugin's folder holds more than ${String(mostFiles)} files or ${String(mostBytes)} bytes`);
    }
  };
  await look(folder);
}

/**
 * Links `node_modules` of every folder above, and all that lies beside the plugin up to the package that it belongs to.
 */
async function linkSurroundings(folder: string, mirror: string): Promise<void> {
  await link(folder, mirror, 'node_modules');
  let insidePackage = !(await entries(folder)).some(({ name }) => name === 'package.json');
  for (let below = folder, above = dirname(folder); above !== below; below = above, above = dirname(above)) {
    const found = insidePackage ? await entries(above) : [];
    const isPackage = found.some(({ name }) => name === 'package.json');
    const beside =
      isPackage || below === folder
        ? found.filter(({ name }) => join(above, name) !== below).map(({ name }) => name)
        : [];
    for (const name of new Set([...beside.slice(0, mostFiles), 'node_modules'])) await link(above, mirror, name);
    if (isPackage) insidePackage = false;
  }
}

async function link(folder: string, mirror: string, name: string): Promise<void> {
  const target = join(folder, name);
  try {
    await stat(target);
  } catch {
    // Not there, or a dangling link: an import of it fails as it does from the folder itself.
    return;
  }
  await symlink(target, join(mirror, folder, name));
}

async function entries(folder: string): Promise<Dirent[]> {
  return await readdir(folder, { withFileTypes: true });
}
