// Whether a path can hold the control socket: short enough for the kernel, and in a folder where nobody else can put
// something in the socket's place.
import { lstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { defaultSocketPath, maxSocketPathBytes } from '../../../protocol/client/socket-path.ts';
import { HostError } from '../../../protocol/errors.ts';
import { makeFolders } from '../../files/make-folders.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const othersMayWrite = 0o022;

/** `path` must be absolute. Makes the folder where there is none; throws `socket_unusable`. */
export function prepareSocketFolder(path: string, env: Environment = process.env): void {
  refuseLongPath(path);
  const folder = dirname(path);
  makeFolder(folder);
  if (isDefaultFolder(folder, env)) refuseUnsafeFolder(folder);
  else if (!statSync(folder).isDirectory()) throw unusable(folder, 'not_a_folder', 'is no folder; name another socket');
}

function refuseLongPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= maxSocketPathBytes) return;
  throw new HostError(
    'socket_unusable',
    `The socket's path has ${String(bytes)} bytes and may have ${String(maxSocketPathBytes)}: ${path}. Name a shorter one with --socket or $NAGAYA_SOCKET.`,
    { path, reason: 'path_too_long', bytes, maximum: maxSocketPathBytes },
  );
}

function makeFolder(folder: string): void {
  try {
    makeFolders(folder);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw unusable(folder, reason, `cannot be made (${reason}); name another socket`);
  }
}

/** The folders every user would look in, and where others could therefore lie in wait. */
function isDefaultFolder(folder: string, env: Environment): boolean {
  const named = { ...env, NAGAYA_SOCKET: undefined };
  return (
    folder === dirname(defaultSocketPath(named)) ||
    folder === dirname(defaultSocketPath({ ...named, XDG_RUNTIME_DIR: undefined }))
  );
}

function refuseUnsafeFolder(folder: string): void {
  const stats = lstatSync(folder);
  if (!stats.isDirectory()) throw unusable(folder, 'not_a_folder', 'is no folder but a link or a file; remove it');
  if (stats.uid !== process.getuid?.())
    throw unusable(folder, 'foreign_folder', 'belongs to another user; name another socket');
  if ((stats.mode & othersMayWrite) !== 0)
    throw unusable(folder, 'open_folder', `is writable for others; run chmod 700 ${folder}`);
}

const unusable = (folder: string, reason: string, message: string): HostError =>
  new HostError('socket_unusable', `The socket's folder ${folder} ${message}.`, { path: folder, reason });
