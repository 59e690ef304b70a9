// Node's permission model for a cell, as the flags its Node understands: what a plugin is granted, and what the cell's
// own code must be able to read. It holds against faults, not against malice.
import { createRequire } from 'node:module';
import { realpathSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Permissions } from '../../protocol/manifest.ts';

/** Named anew where it left its trial. */
const permissionFlag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';

/** Newer Nodes close the network too; a plugin's manifest has no grant for it, so it stays open. */
const networkFlags = process.allowedNodeEnvironmentFlags.has('--allow-net') ? ['--allow-net'] : [];

const fromSource = import.meta.url.endsWith('.ts');
const packageRoot = fileURLToPath(new URL(fromSource ? '../../' : '../../../', import.meta.url)).replace(/\/$/, '');

const modulesFolder = `${sep}node_modules${sep}`;
/** What cells load beside the project's own files. */
const cellDependencies = ['comlink', 'ajv'];

/** The outermost folder of modules that holds them: their own dependencies lie there too, however they were installed. */
function moduleFolders(): string[] {
  const require = createRequire(import.meta.url);
  const folders = cellDependencies.map((name) => {
    const path = realpathSync(require.resolve(name));
    return path.slice(0, path.indexOf(modulesFolder) + modulesFolder.length - 1);
  });
  return [...new Set(folders)];
}

let ownFiles: readonly string[] | undefined;

/** Looked up once: they do not move while the daemon runs. */
function filesOfCells(): readonly string[] {
  ownFiles ??= [join(packageRoot, 'package.json'), ...[join(packageRoot, 'dist'), ...moduleFolders()].map((folder) => join(folder, '*'))];
  return ownFiles;
}

/** Node reads these on its way to what kind of module a file is. */
function packageFiles(folder: string): string[] {
  const above = dirname(folder);
  return [join(folder, 'package.json'), ...(above === folder ? [] : packageFiles(above))];
}

/** A path may be a file or a folder with all it holds; it need not exist yet. */
function granted(path: string, pluginFolder: string): string[] {
  if (path === '*') return ['*'];
  const full = resolve(pluginFolder, path);
  return full === sep ? ['*'] : [full, join(full, '*')];
}

/** No flags where the plugin is not restricted. */
export function permissionArgs(permissions: Permissions | undefined, pluginFolder: string): string[] {
  if (permissions === undefined) return [];
  const { fs, childProcess, worker, addons } = permissions;
  const readable = [...filesOfCells(), join(pluginFolder, '*'), ...packageFiles(pluginFolder), ...fs.read.flatMap((path) => granted(path, pluginFolder))];
  const writable = fs.write.flatMap((path) => granted(path, pluginFolder));
  return [
    permissionFlag,
    ...networkFlags,
    ...[...new Set(readable)].map((path) => `--allow-fs-read=${path}`),
    ...[...new Set(writable)].map((path) => `--allow-fs-write=${path}`),
    ...(childProcess ? ['--allow-child-process'] : []),
    ...(worker ? ['--allow-worker'] : []),
    ...(addons ? ['--allow-addons'] : []),
  ];
}
