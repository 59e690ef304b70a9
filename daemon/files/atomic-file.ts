// Writes a whole file or nothing of it: whatever ends the daemon, and at whatever moment, who reads the name finds the
// old file or the new one. The bytes go to a file beside it first, are made to last, and then take its name.
import { randomBytes } from 'node:crypto';
import { chmodSync, constants, readdirSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { failpoint } from './failpoints.ts';
import { makeFolders } from './make-folders.ts';

const fileMode = 0o600;
const folderMode = 0o700;
const openFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** No more than this is put together at once. */
const chunkBytes = 256 * 1024;

/** What a write that was cut off leaves behind, told apart from a file whose own name happens to end so. */
const temporaryForm = /.\.[0-9a-f]{16}\.tmp$/;

/** For this user alone; one that was made before with a wider mode is narrowed. */
export function ownFolder(path: string): void {
  makeFolders(path);
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, folderMode);
}

/** `parts` are read once, in order, while the file is written. */
export async function writeAtomically(path: string, parts: Iterable<string>): Promise<void> {
  failpoint('state-unwritable')?.throwErrno('EACCES');
  ownFolder(dirname(path));
  const temporary = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    await writeWhole(temporary, parts);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(leftForLater);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Removes what writes to a folder left behind when the daemon was ended in the midst of them. */
export function removeLeftovers(folder: string): void {
  try {
    for (const name of readdirSync(folder)) if (temporaryForm.test(name)) rmSync(join(folder, name), { force: true });
  } catch {
    // They are in nobody's way.
  }
}

async function writeWhole(path: string, parts: Iterable<string>): Promise<void> {
  const file = await open(path, openFlags, fileMode);
  try {
    let chunk: string[] = [];
    let length = 0;
    for (const part of parts) {
      chunk.push(part);
      length += part.length;
      if (length < chunkBytes) continue;
      await writeChunk(file, chunk.join(''));
      chunk = [];
      length = 0;
    }
    await writeChunk(file, chunk.join(''));
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeChunk(file: FileHandle, text: string): Promise<void> {
  const full = failpoint('disk-full');
  // A disk takes what still fits before it says that it is full.
  await file.writeFile(full === undefined ? text : text.slice(0, text.length / 2));
  full?.throwErrno('ENOSPC');
}

/** The new name is in the folder, and the folder has to last too. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The error of the write is the one that counts; what is left is removed when the file is opened next. */
const leftForLater = (): void => undefined;
