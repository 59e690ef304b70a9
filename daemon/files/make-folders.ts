// Makes a folder and those above it, for this user alone.
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const folderMode = 0o700;

/**
 * One folder at a time, because Node's recursive `mkdir` does not return where a folder that exists
 * refuses another inside it with ENOENT, as `/proc` does. Throws the system's reason.
 */
export function makeFolders(path: string): void {
  try {
    mkdirSync(path, { mode: folderMode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    const above = dirname(path);
    if (code !== 'ENOENT' || above === path || existsSync(above)) throw error;
    makeFolders(above);
    makeFolders(path);
  }
}
