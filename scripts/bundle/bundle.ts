// Puts the command, and each kind of cell, into few files in place of the many that the compiler wrote: to find, read and
// link a small file costs a third of a millisecond, and a daemon has 250 of them, a cell 25.
import { readFile, readdir, rm } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { type BuildOptions, type Plugin, build } from 'esbuild';

/** They begin a thread or a process each. */
const cells = ['workers/service-cell', 'workers/process-cell', 'workers/tool-cell', 'workers/watchdog'] as const;
const command = 'daemon/cli/nagaya';
/** What the command imports only when it needs it stays in files of its own. */
const chunks = join(dirname(command), 'part-[name]-[hash]');
const isChunk = /^part-.+-\w+\.js(?:\.map)?$/;

/** Loaded by few cells, or not at all. Comlink is in every one, and in its bundle. */
const outsideCells = ['ajv', 'tsx'];

export async function bundle(root: string, dist: string): Promise<void> {
  await removeChunks(dist);
  const common: BuildOptions = {
    absWorkingDir: root,
    outdir: dist,
    outbase: root,
    bundle: true,
    allowOverwrite: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    sourcesContent: false,
    legalComments: 'eof',
    logLevel: 'warning',
  };
  await Promise.all([
    // Dependencies stay where npm puts them, so that a fix of theirs needs no new build.
    build({ ...common, entryPoints: [`${command}.ts`], splitting: true, chunkNames: chunks, packages: 'external', plugins: [ownPlaces(root, [command])] }),
    build({ ...common, entryPoints: cells.map((name) => `${name}.ts`), external: outsideCells, mainFields: ['module', 'main'], plugins: [ownPlaces(root, cells)] }),
  ]);
}

/** Their names change with what they hold. */
async function removeChunks(dist: string): Promise<void> {
  const folder = join(dist, dirname(chunks));
  for (const name of await readdir(folder).catch(() => [])) {
    if (isChunk.test(name)) await rm(join(folder, name));
  }
}

/** Whoever asks for its own place is told the one that the compiler gave it, whichever file it is in now. */
function ownPlaces(root: string, entries: readonly string[]): Plugin {
  const [first = ''] = entries;
  const folder = dirname(first);
  return {
    name: 'own places',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8');
        const module = relative(root, path).replace(/\.ts$/, '');
        // An entry stands where it stood, and may have been given a query.
        if (entries.includes(module)) return { contents: text, loader: 'ts' };
        const place = `${relative(folder, module).split(sep).join('/')}.js`;
        return { contents: text.replaceAll('import.meta.url', `new URL('${place}', import.meta.url).href`), loader: 'ts' };
      });
    },
  };
}
