// Resolves a path that should lead to a plugin's folder; what is wrong with it is said in words for whoever gave it.
import { realpathSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { kindOfFile, wordingOfFileError } from '../files/file-fault.ts';

export const manifestName = 'plugin.json';

export type RealFolder =
  { readonly ok: true; readonly path: string } | { readonly ok: false; readonly message: string };

export function realFolder(folder: string): RealFolder {
  try {
    const path = realpathSync.native(folder);
    const found = statSync(path);
    if (found.isDirectory()) return { ok: true, path };
    const meant =
      basename(folder) === manifestName ? 'name the folder that holds it' : `name a folder with a ${manifestName}`;
    return { ok: false, message: `the path leads to ${kindOfFile(found)}; ${meant}` };
  } catch (error) {
    return { ok: false, message: `the folder ${wordingOfFileError(error)}` };
  }
}
