// The step of `npm run build` after the compiler.
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle } from './bundle.ts';

const root = join(import.meta.dirname, '..', '..');
const dist = join(root, 'dist');

await bundle(root, dist);
// The compiler must not believe that its files are still there: at its next run it writes them all again.
await rename(join(dist, '.tsbuildinfo'), join(dist, '.bundled'));
