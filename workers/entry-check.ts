// Whether a plugin's entry can be imported, and what it exports, found out in a process of its own that runs nothing of
// it: Node reads, parses and links every module of an import before it runs the first, and the first here ends the
// process.
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { SourceTextModule, compileFunction } from 'node:vm';
import { isTypescript, tsxFor } from './plugin-module.ts';

const entryUrl = process.argv[2] ?? '';

/**
 * What Node takes for CommonJS it parses only when it runs it. An entry that it could take for either has to be one of
 * them.
 */
function parse(source: string): void {
  try {
    new SourceTextModule(source, { identifier: entryUrl });
  } catch (notModule) {
    try {
      compileFunction(source, ['exports', 'require', 'module', '__filename', '__dirname']);
    } catch {
      // It is neither, and entries are modules: what is wrong with it as a module is what its author wants to know.
      throw notModule;
    }
  }
}

/**
 * Writes the names of what the entry exports, and ends the process. The probe imports the report before it imports the
 * entry, so that the report runs when all is linked and nothing of the plugin has run; by the circle between the two it
 * reaches the probe's function, which exists from then on. A namespace tells its names, while its values are not there
 * yet.
 */
const sources = {
  'nagaya:probe':
    "import 'nagaya:report'; import * as entry from 'nagaya:entry'; export function names() { return Reflect.ownKeys(entry); }",
  'nagaya:report': `
    import { writeSync } from 'node:fs';
    import { names } from 'nagaya:probe';
    writeSync(1, JSON.stringify(names().filter((name) => typeof name === 'string').slice(0, 1000)));
    process.exit(0);
  `,
};

/**
 * Runs in Node's thread for hooks, as text, because it names modules that are in no file. It writes what the entry is
 * in JavaScript to descriptor 3, and nothing where Node cannot tell: Node then reports the fault with its place.
 */
const hooks = `
  import { writeFileSync } from 'node:fs';
  import * as modules from 'node:module';
  const entry = ${JSON.stringify(entryUrl)};
  const inJavascript = ({ format, source }) => (format === 'module-typescript' ? modules.stripTypeScriptTypes(String(source)) : format === 'module' ? source : '');
  const sources = ${JSON.stringify(sources)};
  export const resolve = (specifier, context, next) =>
    specifier in sources ? { url: specifier, shortCircuit: true } : next(specifier === 'nagaya:entry' ? entry : specifier, context);
  export async function load(url, context, next) {
    if (url in sources) return { format: 'module', source: sources[url], shortCircuit: true };
    const loaded = await next(url, context);
    if (url === entry) {
      let javascript = '';
      try {
        javascript = inJavascript(loaded) ?? '';
      } catch {
        // Node finds the same fault when it loads the file next, and names its place.
      }
      writeFileSync(3, javascript);
    }
    return loaded;
  }
`;

if (isTypescript(entryUrl)) (await tsxFor(entryUrl))?.register();
else parse(readFileSync(fileURLToPath(entryUrl), 'utf8'));
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
const probe = 'nagaya:probe';
try {
  await import(probe);
} catch (error) {
  // For a SyntaxError Node prints the place itself, when the error ends this process.
  if (error instanceof Error) process.stderr.write(placeOfImport(error.message));
  throw error;
}

/**
 * Of an import that cannot be resolved: the place in the file that asks for it, in the form in which Node prints
 * places.
 */
function placeOfImport(message: string): string {
  const [, wanted = '', importer = ''] = /'([^']+)'.* imported from (.+?)$/m.exec(message) ?? [];
  if (importer === '') return '';
  const path = importer.startsWith('file:') ? fileURLToPath(importer) : importer;
  const lines = readFileSync(path, 'utf8').split('\n');
  for (const [index, line] of lines.entries()) {
    for (const { 1: specifier = '', index: at, 0: whole } of line.matchAll(
      /(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g,
    )) {
      if (!means(specifier, wanted, path)) continue;
      const column = at + whole.length - specifier.length - 2;
      return `${path}:${String(index + 1)}\n${line}\n${' '.repeat(column)}^\n\n`;
    }
  }
  return '';
}

function means(specifier: string, wanted: string, importer: string): boolean {
  if (specifier === wanted || specifier.startsWith(`${wanted}/`)) return true;
  return /^\.{0,2}\//.test(specifier) && fileURLToPath(new URL(specifier, pathToFileURL(importer))) === wanted;
}
