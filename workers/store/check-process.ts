// A suspect file is read through in a process of its own before the daemon opens it: a torn page can end the process
// that meets it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A store of several GiB is read within it. */
const mostMs = 120_000;

/** What is wrong with the file; undefined where all of it can be read. */
export function checkInProcess(path: string): string | undefined {
  const entry = fileURLToPath(
    import.meta.url.endsWith('.ts')
      ? new URL('../../dist/workers/store-check.js', import.meta.url)
      : new URL('../store-check.js', import.meta.url),
  );
  const { status, signal, stdout, error } = spawnSync(process.execPath, [entry, path], {
    env: {},
    encoding: 'utf8',
    timeout: mostMs,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (status === 0) return undefined;
  if (error !== undefined) return `it could not be checked: ${error.message}`;
  return signal === null
    ? stdout.trim() || `its check ended with code ${String(status)}`
    : `reading it ends a process with ${signal}`;
}
