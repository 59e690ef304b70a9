// Makes a folder and those above it; for this user alone where nothing else is asked for.
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const ownerOnly = 0o700;

/**
 * One folder at a time, because Node's recursive `mkdir` does not return where a folder that exists refuses another
 * inside it with ENOENT, as `/proc` does. Returns whether the folder was not there; throws the system's reason.
 */
export function makeFolders(path: string, mode = ownerOnly): boolean {
  try {
    mkdirSync(path, { mode });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return false;
    const above = dirname(path);
    if (code !== 'ENOENT' || above === path || existsSync(above)) throw error;
    makeFolders(above, mode);
    return makeFolders(path, mode);
  }
}
