// Finds plugin folders by looking for manifests: an inventory that reads no manifest and runs nothing. A folder that
// cannot be looked at is reported and never keeps the others from being found. Folders are read without libuv's pool of
// threads, which a plugin may have filled.
import { plural } from '../../protocol/plural.ts';
import { type Dir, type Dirent, lstatSync, opendirSync } from 'node:fs';
import { join } from 'node:path';
import { wordingOfFileError } from '../files/file-fault.ts';
import type { InvalidPlugin } from './invalid-plugin.ts';
import { manifestName, realFolder } from './plugin-folder.ts';

export interface DiscoveryOptions {
  /** `limits.plugins`: more are counted and left out. */
  readonly maxPlugins: number;
  /** How many entries of one folder are looked at. */
  readonly maxEntries?: number;
}

export interface Discovered {
  /** Real paths, in the order given and by name within one folder, each once. */
  readonly folders: readonly string[];
  readonly invalid: readonly InvalidPlugin[];
}

const defaultMaxEntries = 10_000;

export function discover(folders: readonly string[], options: DiscoveryOptions): Discovered {
  const found = new Set<string>();
  const invalid: InvalidPlugin[] = [];
  const fault = (path: string, message: string): void => void invalid.push({ path, issues: [{ path: '', message }] });
  let leftOut = 0;
  const add = (folder: string): void => {
    if (found.has(folder)) return;
    if (found.size < options.maxPlugins) found.add(folder);
    else leftOut += 1;
  };

  for (const folder of folders) {
    const root = realFolder(folder);
    if (!root.ok) {
      fault(folder, root.message);
      continue;
    }
    if (holdsManifest(root.path)) {
      add(root.path);
      continue;
    }
    const children = childFolders(root.path, options.maxEntries ?? defaultMaxEntries);
    if (children.fault !== undefined) fault(folder, children.fault);
    for (const name of children.names) {
      const child = realFolder(join(root.path, name));
      if (!child.ok) fault(join(folder, name), child.message);
      else if (holdsManifest(child.path)) add(child.path);
    }
    if (leftOut > 0) {
      fault(
        folder,
        `holds ${plural(leftOut, 'plugin')} more than limits.plugins (${String(options.maxPlugins)}) allows; raise it in the configuration`,
      );
      leftOut = 0;
    }
  }
  return { folders: [...found], invalid };
}

/** Whatever stands there by that name: reading it later says what is wrong with it. */
function holdsManifest(folder: string): boolean {
  try {
    lstatSync(join(folder, manifestName));
    return true;
  } catch (error) {
    // Only a name that is surely not there makes it no plugin; anything else is for the reader of the manifest to
    // report.
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

interface Children {
  readonly names: readonly string[];
  readonly fault?: string;
}

/** Links count as folders until they are followed; hidden folders and installed packages are no plugins. */
const mayHoldPlugin = (entry: Dirent): boolean =>
  (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.') && entry.name !== 'node_modules';

function childFolders(folder: string, maxEntries: number): Children {
  const names: string[] = [];
  let entries = 0;
  let open: Dir | undefined;
  try {
    open = opendirSync(folder);
    for (let entry = open.readSync(); entry !== null; entry = open.readSync()) {
      entries += 1;
      if (entries > maxEntries) {
        return {
          names: names.sort(),
          fault: `holds more than ${String(maxEntries)} entries, of which only as many were looked at; give the plugins a folder of their own`,
        };
      }
      if (mayHoldPlugin(entry)) names.push(entry.name);
    }
    return { names: names.sort() };
  } catch (error) {
    return { names: names.sort(), fault: `the folder ${wordingOfFileError(error)}` };
  } finally {
    open?.closeSync();
  }
}
