// Whether a plugin's entry can be imported, found out in a process of its own that runs nothing of it: Node reads, parses
// and links every module of an import before it runs the first, and the first here ends the process.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
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
await import(`data:text/javascript,${encodeURIComponent(inTurn)}`);
