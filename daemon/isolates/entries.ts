// Where the code that runs inside cells lies. Cells always run the compiled files, also when the host itself runs
// from source in a test: a thread cannot load TypeScript on Node 20, and what ships is what is tested.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const fromSource = import.meta.url.endsWith('.ts');

const builtFile = (name: string): URL =>
  new URL(`${fromSource ? '../../dist/workers' : '../../workers'}/${name}`, import.meta.url);

const directReadsFile = fileURLToPath(builtFile('direct-reads.cjs'));

/** The tool cell as piscina loads it. */
export const pooledEntry = builtFile('pooled-cell.cjs');

/**
 * Flags of every thread that runs a plugin's code: it reads its modules without libuv's pool, which a plugin may fill.
 */
export const directReads: readonly string[] = ['--require', directReadsFile];

/** The same for the host's own thread, which imports some of its parts only when they are first needed. */
export function readDirectly(): void {
  createRequire(import.meta.url)(directReadsFile);
}

export function cellEntry(
  name:
    | 'service-cell'
    | 'process-cell'
    | 'tool-cell'
    | 'schema-check'
    | 'entry-check'
    | 'default-profile'
    | 'storekeeper'
    | 'edge-thread'
    | 'mcp-thread'
    | 'cluster-thread'
    | 'remote-thread',
): URL {
  return builtFile(`${name}.js`);
}
