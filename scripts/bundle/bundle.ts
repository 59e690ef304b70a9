// Puts the command, and each kind of cell, into few files in place of the many that the compiler wrote: to find, read
// and link a small file costs a third of a millisecond, and a daemon has 250 of them, a cell 25.
import { readFile, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { type BuildOptions, type Plugin, build } from 'esbuild';
import { smaller } from './smaller.ts';

/** They begin a thread or a process each. */
const cells = [
  'service-cell',
  'process-cell',
  'tool-cell',
  'watchdog',
  'nested-guard',
  'default-profile',
  'schema-check',
  'entry-check',
  'store-check',
  'storekeeper',
  'mcp-thread',
].map((name) => `workers/${name}`);
/** They begin when something is configured for them, and need the words of errors, which stand in a file already. */
const threadsWithWords = ['edge-thread', 'cluster-thread', 'remote-thread'].map((name) => `workers/${name}`);
const command = 'daemon/cli/nagaya';
/** What the command imports only when it needs it stays in files of its own. */
const chunks = join(dirname(command), 'part-[name]-[hash]');
const isChunk = /^part-.+-\w+\.js(?:\.map)?$/;

/** Loaded only by a cell that has a JSON Schema to check. */
const validator = 'workers/json-schema-validator';

/** In the bundles: comlink because every cell loads it, zod because the command uses a third of it. */
const bundledPackages = ['comlink', 'zod', 'ajv'];

/** Resolves to the packages whose text is in the bundles. */
export async function bundle(root: string, dist: string): Promise<string[]> {
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
    metafile: true,
    legalComments: 'eof',
    logLevel: 'warning',
  };
  // Other dependencies stay where npm puts them, so that a fix of theirs needs no new build.
  const external = (await dependencies(root)).filter((name) => !bundledPackages.includes(name));
  const mainFields = ['module', 'main'];
  const built = await Promise.all([
    build({
      ...common,
      entryPoints: [`${command}.ts`],
      splitting: true,
      chunkNames: chunks,
      external,
      mainFields,
      plugins: [ownPlaces(root, [command]), smaller],
    }),
    build({
      ...common,
      entryPoints: cells.map((name) => `${name}.ts`),
      external,
      mainFields,
      plugins: [besideCells, ownPlaces(root, cells), smaller],
    }),
    build({
      ...common,
      entryPoints: threadsWithWords.map((name) => `${name}.ts`),
      external,
      mainFields,
      plugins: [besideCells, besideClient(root), ownPlaces(root, threadsWithWords), smaller],
    }),
    build({ ...common, entryPoints: [`${validator}.ts`], mainFields, minify: true }),
    build({
      ...common,
      entryPoints: { console: 'web/console/main.js' },
      outdir: join(dist, 'web'),
      platform: 'browser',
      target: 'es2022',
      minify: true,
    }),
  ]);
  const inputs = built.flatMap(({ metafile }) => Object.keys(metafile?.inputs ?? {}));
  return [
    ...new Set(inputs.flatMap((path) => /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [])),
  ].sort();
}

/** Their names change with what they hold. */
async function removeChunks(dist: string): Promise<void> {
  const folder = join(dist, dirname(chunks));
  for (const name of await readdir(folder).catch(() => [])) {
    if (isChunk.test(name)) await rm(join(folder, name));
  }
}

async function dependencies(root: string): Promise<string[]> {
  const { dependencies: own = {}, peerDependencies: peers = {} } = JSON.parse(
    await readFile(join(root, 'package.json'), 'utf8'),
  ) as Partial<Record<string, object>>;
  return [...Object.keys(own), ...Object.keys(peers)];
}

/** The validator stays a file beside the cells, which import it when they need it. */
const besideCells: Plugin = {
  name: 'beside cells',
  setup({ onResolve }) {
    onResolve({ filter: /\/json-schema-validator\.ts$/ }, () => ({
      path: `./${basename(validator)}.js`,
      external: true,
    }));
  },
};

/** The registry of errors is a file of the client, which programs import as well. */
function besideClient(root: string): Plugin {
  const errors = join(root, 'protocol', 'errors.ts');
  return {
    name: 'beside the client',
    setup({ onResolve }) {
      onResolve({ filter: /\/errors\.ts$/ }, ({ path, resolveDir }) =>
        join(resolveDir, path) === errors ? { path: '../protocol/errors.js', external: true } : undefined,
      );
    },
  };
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
        return {
          contents: text.replaceAll('import.meta.url', `new URL('${place}', import.meta.url).href`),
          loader: 'ts',
        };
      });
    },
  };
}
