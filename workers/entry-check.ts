// Whether a plugin's entry can be imported, found out in a process of its own that runs nothing of it: Node reads, parses
// and links every module of an import before it runs the first, and the first here ends the process.
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { SourceTextModule, compileFunction } from 'node:vm';
import { isTypescript, tsxFor } from './plugin-module.ts';

const entryUrl = process.argv[2] ?? '';

/** What Node takes for CommonJS it parses only when it runs it. An entry that it could take for either has to be one of them. */
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

if (isTypescript(entryUrl)) (await tsxFor(entryUrl))?.register();
else parse(readFileSync(fileURLToPath(entryUrl), 'utf8'));
const inTurn = ['data:text/javascript,process.exit(0)', entryUrl].map((url) => `import ${JSON.stringify(url)};`).join('');
try {
  await import(`data:text/javascript,${encodeURIComponent(inTurn)}`);
} catch (error) {
  // For a SyntaxError Node prints the place itself, when the error ends this process.
  if (error instanceof Error) process.stderr.write(placeOfImport(error.message));
  throw error;
}

/** Of an import that cannot be resolved: the place in the file that asks for it, in the form in which Node prints places. */
function placeOfImport(message: string): string {
  const [, wanted = '', importer = ''] = /'([^']+)'.* imported from (.+?)$/m.exec(message) ?? [];
  if (importer === '') return '';
  const path = importer.startsWith('file:') ? fileURLToPath(importer) : importer;
  const lines = readFileSync(path, 'utf8').split('\n');
  for (const [index, line] of lines.entries()) {
    for (const { 1: specifier = '', index: at, 0: whole } of line.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
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
