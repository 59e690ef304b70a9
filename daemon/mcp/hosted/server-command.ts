// What is run for a hosted server. The program is found by the daemon's own PATH, which the server need not be given.
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

/** Beyond the plugin's own bound, so that reaching that one is seen before opening fails. */
const spareDescriptors = 128;

/** Where the system gives less already, that stays. `exec` keeps the pid, so that the child is the server itself. */
export const boundedShell = (descriptors: number): string =>
  `ulimit -c 0 2>/dev/null; ulimit -n ${String(descriptors + spareDescriptors)} 2>/dev/null; exec "$0" "$@"`;

export function serverCommand(
  {
    command,
    args,
    cwd,
  }: { readonly command: string; readonly args: readonly string[]; readonly cwd: string | undefined },
  folder: string,
  path: string | undefined,
): ServerCommand {
  const place = resolve(folder, cwd ?? '.');
  return { command: foundProgram(command, folder, path), args, cwd: place };
}

function foundProgram(command: string, folder: string, path: string | undefined): string {
  if (isAbsolute(command)) return command;
  // With a slash it means a file of the plugin.
  if (command.includes('/')) return resolve(folder, command);
  for (const place of (path ?? '').split(delimiter)) {
    const file = join(place === '' ? '.' : place, command);
    if (place !== '' && isProgram(file)) return file;
  }
  // The shell says that there is none.
  return command;
}

/** What the shell ends with when there is no such program; a server may end with it too. */
export const notFoundCode = 127;

export const isMissing = ({ command }: ServerCommand): boolean => !command.includes('/') || !existsSync(command);

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // It is not there, or is no program.
    return false;
  }
}
