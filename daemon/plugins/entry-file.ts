// Finds the module a plugin names as its entry, and holds it inside the plugin's own folder: neither `..` nor a link
// may make the daemon run a file from elsewhere.
import { realpathSync, statSync } from 'node:fs';
import { extname, isAbsolute, join, sep } from 'node:path';
import type { Issue } from '../../protocol/errors.ts';
import { kindOfFile, wordingOfFileError } from '../files/file-fault.ts';

export type FoundEntry = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly issue: Issue };

const moduleEndings = ['.js', '.mjs', '.ts', '.mts'];
const commonJsEndings = ['.cjs', '.cts'];

const refused = (message: string): FoundEntry => ({ ok: false, issue: { path: 'entry', message } });

/** `root` is a real path. */
export function findEntry(root: string, entry: string): FoundEntry {
  if (isAbsolute(entry)) return refused('must be relative to the plugin\'s folder, such as "./index.js"');
  if (entry.split('/').includes('..')) return refused('must stay inside the plugin\'s folder; take the ".." out of it');
  let path: string;
  try {
    path = realpathSync.native(join(root, entry));
    const inside = path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
    if (!inside)
      return refused("is, or lies behind, a link that leads out of the plugin's folder; put the file itself there");
    const found = statSync(path);
    if (!found.isFile()) return refused(`is ${kindOfFile(found)}; name the module file itself, such as "./index.js"`);
  } catch (error) {
    return refused(wordingOfFileError(error));
  }
  const ending = extname(path);
  if (commonJsEndings.includes(ending))
    return refused(`ends in ${ending}, which is CommonJS; make it an ES module that ends in .js or .mjs`);
  if (!moduleEndings.includes(ending)) return refused(`must be an ES module that ends in ${moduleEndings.join(', ')}`);
  return { ok: true, path };
}
