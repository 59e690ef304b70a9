// The step of `npm run build` after the compiler.
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle } from './bundle.ts';
import { makeSmaller } from './smaller.ts';

const root = join(import.meta.dirname, '..', '..');
const dist = join(root, 'dist');

/** What programs and tests of plugins import stays as single files. */
const imported = [
  ...['client/client', 'client/socket-path', 'errors', 'framing', 'json-rpc'].map((name) => `protocol/${name}`),
  ...['index', 'retry-errors', 'test-daemon', 'test-plugin', 'test-worker'].map((name) => `workers/sdk/${name}`),
];

await bundle(root, dist);
await Promise.all(imported.map((name) => makeSmaller(join(dist, `${name}.js`))));
// The compiler must not believe that its files are still there: at its next run it writes them all again.
await rename(join(dist, '.tsbuildinfo'), join(dist, '.bundled'));
