// Makes the files of the command and of the cells smaller, so that the package is small and a cell reads less at its
// start, and keeps every name that a stack can show of them: those of functions, classes and methods of a module.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type Plugin, type TransformOptions, transform } from 'esbuild';

const options: TransformOptions = {
  minify: true,
  lineLimit: 160,
  target: 'node20',
  legalComments: 'eof',
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
  logOverride: { 'direct-eval': 'silent' },
};

/**
 * The text of a direct `eval` might use any name of the scope that it stands in, and of those around it. So one in the
 * outermost scope makes esbuild keep the names there and shorten only those inside functions. It is taken out again.
 */
const keepsNames = 'function keepsNames(){eval("")}';
/** A line may end between any two of its words. */
const keepsNamesWritten = /function\s+keepsNames\s*\(\s*\)\s*\{\s*eval\s*\(\s*""\s*\)\s*\}/;

/** In place of the build, writes what it has made. */
export const smaller: Plugin = {
  name: 'smaller',
  setup({ initialOptions, onEnd }) {
    // The map of each file goes into its text, because that is where a transformation reads it.
    Object.assign(initialOptions, { write: false, sourcemap: 'inline' });
    onEnd(async ({ outputFiles = [] }) => {
      await Promise.all(outputFiles.map(({ path, text }) => writeSmaller(path, text)));
    });
  },
};

/** For a file that stays as the compiler wrote it, with its map beside it. */
export async function makeSmaller(path: string): Promise<void> {
  const [text, map] = await Promise.all([readFile(path, 'utf8'), readFile(`${path}.map`, 'base64')]);
  const withMap = text.replace(
    /^\/\/# sourceMappingURL=.*$/m,
    `//# sourceMappingURL=data:application/json;base64,${map}\n`,
  );
  await writeSmaller(path, withMap);
}

/**
 * A class that names itself comes out of a bundle as `var Name = class _Name {`, whose second name would be shortened,
 * and a stack shows that one. Places stay where they are, for the map's sake.
 */
function withOneName(text: string): string {
  const found = [...text.matchAll(/^var (\w+) = class (_\w+) /gm)];
  return found.reduce((before, [whole, outer = '', inner = '']) => {
    const declared = before.replace(whole, `class ${outer} `.padEnd(whole.length));
    return declared.replaceAll(new RegExp(`(?<![\\w$.#'"\`])${inner}\\b`, 'g'), outer.padStart(inner.length));
  }, text);
}

async function writeSmaller(path: string, text: string): Promise<void> {
  const { code, map } = await transform(`${withOneName(text)}${keepsNames}`, { ...options, sourcefile: path });
  if (!keepsNamesWritten.test(code)) throw new Error(`esbuild wrote in other words what keeps the names of ${path}`);
  await mkdir(dirname(path), { recursive: true });
  await Promise.all([
    writeFile(path, `${code.replace(keepsNamesWritten, '')}//# sourceMappingURL=${basename(path)}.map\n`),
    writeFile(`${path}.map`, map),
  ]);
}
