// Makes the files of the command and of the cells smaller, so that the package is small and a cell reads less at its
// start, and keeps every name that a stack can show of them: those of functions, classes and methods of a module.
import { mkdir, writeFile } from 'node:fs/promises';
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

async function writeSmaller(path: string, text: string): Promise<void> {
  const { code, map } = await transform(`${text}${keepsNames}`, { ...options, sourcefile: path });
  if (!keepsNamesWritten.test(code)) throw new Error(`esbuild wrote in other words what keeps the names of ${path}`);
  await mkdir(dirname(path), { recursive: true });
  await Promise.all([
    writeFile(path, `${code.replace(keepsNamesWritten, '')}//# sourceMappingURL=${basename(path)}.map\n`),
    writeFile(`${path}.map`, map),
  ]);
}
