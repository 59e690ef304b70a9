// Node's permission model for a cell, as the flags its Node understands: what a plugin is granted, and what the cell's
// own code must be able to read. It holds against faults, not against malice.
import { realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Permissions } from '../../protocol/manifest.ts';

/** Named again where it left its trial. */
export const permissionFlag = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

/** Newer Nodes close the network too; a plugin's manifest has no grant for it, so it stays open. */
export const networkFlags = process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : [];

const fromSource = import.meta.url.endsWith('.ts');
const packageRoot = fileURLToPath(new URL(fromSource ? '../../' : '../../../', import.meta.url)).replace(/\/$/, '');

const allowWorker = '--allow-worker';

/** In place of a path. */
const everything = '*';

const modulesFolder = `${sep}node_modules${sep}`;
/** What cells load beside the project's own files. */
const cellDependencies = ['comlink', 'ajv'];

/**
 * The outermost folder of modules that holds them: their own dependencies lie there too, however they were installed.
 */
function moduleFolders(): string[] {
  const require = createRequire(import.meta.url);
  const folders = cellDependencies.map((name) => {
    const path = realpathSync(require.resolve(name));
    return path.slice(0, path.indexOf(modulesFolder) + modulesFolder.length - 1);
  });
  return [...new Set(folders)];
}

let ownFiles: readonly Grant[] | undefined;

/** Looked up once: they do not move while the daemon runs. */
function filesOfCells(): readonly Grant[] {
  ownFiles ??= [
    file(join(packageRoot, 'package.json')),
    ...[join(packageRoot, 'dist'), ...moduleFolders()].map(folder),
  ];
  return ownFiles;
}

/** Node reads these on its way to what kind of module a file is. */
function packageFiles(from: string): Grant[] {
  const above = dirname(from);
  return [file(join(from, 'package.json')), ...(above === from ? [] : packageFiles(above))];
}

interface Grant {
  readonly path: string;
  /** Of a folder, all it holds. */
  readonly folder: boolean;
}

const file = (path: string): Grant => ({ path, folder: false });
const folder = (path: string): Grant => ({ path, folder: true });

function granted(path: string, pluginFolder: string): Grant {
  const full = resolve(pluginFolder, path);
  return path.endsWith('/') || isFolder(full) ? folder(full) : file(full);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Not there yet: what is to become a folder is written with a slash at its end.
    return false;
  }
}

/**
 * Sorted, and no path twice nor inside a folder that is granted: Node 20 aborts the whole process where a path is named
 * again, and a thread's flags are read in the daemon's process.
 */
function pathFlags(flag: string, grants: readonly Grant[]): string[] {
  if (grants.some(({ path }) => path === sep || path === everything)) return [`${flag}=*`];
  const folders = grants.filter((grant) => grant.folder).map(({ path }) => `${path}/`);
  const outermost = [...new Set(folders)].filter(
    (path) => !folders.some((other) => other !== path && path.startsWith(other)),
  );
  const files = grants
    .filter((grant) => !grant.folder && !outermost.some((path) => `${grant.path}/`.startsWith(path)))
    .map(({ path }) => path);
  return [...new Set([...outermost.map((path) => `${path}*`), ...files])].sort().map((path) => `${flag}=${path}`);
}

/** What the guard inside a cell has to know beside Node's flags. */
export interface CellGrants extends Pick<Permissions, 'worker' | 'addons'> {
  /** The daemon's control socket, where it is kept from the plugin. */
  readonly controlSocket?: string;
}

export const cellGrants = (permissions: Permissions | undefined, keptSocket: string | undefined): CellGrants => ({
  worker: permissions?.worker ?? false,
  addons: permissions?.addons ?? false,
  ...(keptSocket === undefined ? {} : { controlSocket: keptSocket }),
});

/**
 * No flags where the plugin is not restricted. `keptSocket` is looked at by the guard, to know it by any of its names;
 * `codeFolder` is where the plugin's code is if not in its folder.
 */
export function permissionArgs(
  permissions: Permissions | undefined,
  pluginFolder: string,
  keptSocket?: string,
  codeFolder = pluginFolder,
): string[] {
  if (permissions === undefined) return [];
  const { fs, childProcess, worker, addons } = permissions;
  const of = (paths: readonly string[]): Grant[] =>
    paths.map((path) => (path === everything ? file(everything) : granted(path, pluginFolder)));
  return [
    permissionFlag,
    ...networkFlags,
    ...pathFlags('--allow-fs-read', [
      ...filesOfCells(),
      ...[pluginFolder, codeFolder].flatMap((path) => [folder(path), ...packageFiles(path)]),
      ...(keptSocket === undefined ? [] : [file(keptSocket)]),
      ...of(fs.read),
    ]),
    ...pathFlags('--allow-fs-write', of(fs.write)),
    ...(childProcess ? ['--allow-child-process'] : []),
    ...(worker ? [allowWorker] : []),
    ...(addons ? ['--allow-addons'] : []),
  ];
}

export const mayStartWorkers = (args: readonly string[]): boolean => args.length === 0 || args.includes(allowWorker);

/** Node would refuse a process's watchdog its thread, so that the cell's own guard refuses the plugin's. */
export const withWatchdog = (args: readonly string[]): readonly string[] =>
  mayStartWorkers(args) ? args : [...args, allowWorker];
