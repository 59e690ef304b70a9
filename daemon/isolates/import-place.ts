// Says where in a plugin's files an import failed. A SyntaxError of a module carries no place in its stack, so the
// entry is linked once more in a process that prints it; that happens only after an import has failed.
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { PlainError } from '../../protocol/cell/plain-error.ts';
import { type PluginPlace, linkFault, nearName, placeIn } from './entry-linking.ts';

const linkMs = 3000;
const frame = /\(?(file:\/\/\/[^\s()]+):(\d+):(\d+)\)?$/;
/** Codes of errors that Node's loader throws about an import, without a frame of the plugin. */
const loaderCodes: ReadonlySet<string> = new Set([
  'ERR_MODULE_NOT_FOUND',
  'ERR_PACKAGE_PATH_NOT_EXPORTED',
  'ERR_PACKAGE_IMPORT_NOT_DEFINED',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNKNOWN_BUILTIN_MODULE',
  'ERR_IMPORT_ATTRIBUTE_MISSING',
  'ERR_INVALID_MODULE_SPECIFIER',
]);

/** Whether the fault lies in the files, so that a second try without a change of them ends in the same way. */
export const liesInFiles = ({ name, code }: Pick<PlainError, 'name' | 'code'>): boolean =>
  name === 'SyntaxError' || name === 'MissingExport' || (code !== undefined && loaderCodes.has(code));

/**
 * Returns the error with `index.js:3:7: ` before its message. Never rejects; without a known place the error stays as
 * it is.
 */
export async function withImportPlace(error: PlainError, plugin: PluginPlace): Promise<PlainError> {
  const place =
    placeInStack(error, plugin.folder) ??
    (error.name !== 'MissingExport' && liesInFiles(error) ? await linkedPlace(plugin) : undefined);
  if (place === undefined || error.message.startsWith(place)) return error;
  const stack = `${error.name}: ${error.message}\n    at ${place}`;
  return { ...error, message: `${place}: ${error.message}`, ...(liesInFiles(error) ? { stack } : {}) };
}

/** The place that Node wrote above the error, or the innermost frame inside the plugin's folder. */
function placeInStack({ stack = '' }: PlainError, folder: string): string | undefined {
  const lines = stack.split('\n');
  const head = lines.findIndex((line) => /^[A-Za-z]*Error\b/.test(line));
  const above = head > 0 ? placeIn(lines.slice(0, head), folder) : undefined;
  if (above !== undefined) return above;
  const root = `${pathToFileURL(folder).href}/`;
  for (const line of lines) {
    const [, url = '', row = '', column = ''] = frame.exec(line) ?? [];
    if (url.startsWith(root)) return `${nearName(fileURLToPath(url), folder)}:${row}:${column}`;
  }
  return undefined;
}

/** One process at a time for each entry: a tool may be called again and again before it is corrected. */
const linking = new Map<string, Promise<string | undefined>>();

function linkedPlace(plugin: PluginPlace): Promise<string | undefined> {
  const running = linking.get(plugin.entry) ?? findPlace(plugin).finally(() => linking.delete(plugin.entry));
  linking.set(plugin.entry, running);
  return running;
}

async function findPlace(plugin: PluginPlace): Promise<string | undefined> {
  try {
    const fault = await linkFault(plugin, linkMs);
    return fault === undefined || fault === 'deadline' ? undefined : fault.place;
  } catch {
    // No process could be started: the error is told without its place.
    return undefined;
  }
}
