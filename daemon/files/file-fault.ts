// What the file system refused, in words that hold the remedy and no more of the path than the reader has given.
import type { Stats } from 'node:fs';

const remedies: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist; correct the path',
  ENOTDIR: 'does not exist, because a part of its path is no folder; correct the path',
  EISDIR: 'is a folder; it must be a regular file',
  EACCES: 'may not be read; make it readable for the user who runs the daemon',
  EPERM: 'may not be read; make it readable for the user who runs the daemon',
  ELOOP: 'is a circle of links; replace the link with the real thing',
  ENAMETOOLONG: 'has a path longer than the system allows; shorten it',
  EMFILE: 'cannot be opened, because the daemon has no file descriptors left; raise `ulimit -n`',
  ENFILE: 'cannot be opened, because the system has no file descriptors left',
  ERR_INVALID_ARG_VALUE: 'has a zero byte in its path; correct the path',
};

const writeRemedies: Readonly<Record<string, string>> = {
  ENOSPC: 'has no space left; free some',
  EDQUOT: 'is over the quota of the user who runs the daemon; free some space',
  EROFS: 'is on a file system that is mounted read-only; mount it for writing',
  EACCES: 'may not be written; make it writable for the user who runs the daemon',
  EPERM: 'may not be written; make it writable for the user who runs the daemon',
};

export function codeOfFileError(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'an unknown error';
}

export function wordingOfFileError(error: unknown): string {
  const code = codeOfFileError(error);
  return remedies[code] ?? `cannot be read (${code})`;
}

export function wordingOfWriteError(error: unknown): string {
  const code = codeOfFileError(error);
  return writeRemedies[code] ?? remedies[code] ?? `cannot be written (${code})`;
}

export function kindOfFile(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a fifo';
  if (stats.isSocket()) return 'a socket';
  return stats.isFile() ? 'a file' : 'a device';
}
