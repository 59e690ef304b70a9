// Workers on the command line, for tests: a daemon whose workers do what each input tells them to.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { type Cleanup, type ServedDaemon, examplesFolder, serve } from './cli-process.ts';

export const labFolder = fileURLToPath(new URL('../fixtures/profiles/lab', import.meta.url));
export const labProfile = 'test.profiles:lab';

export const serveWorkers = (t: Cleanup): Promise<ServedDaemon> =>
  serve(t, ['--plugins', labFolder, `${examplesFolder}/greeter`]);

/** The address of a new worker, as the command prints it. */
export async function newWorker(daemon: ServedDaemon, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.nagaya(['worker', 'new', ...args]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^backend-internal\/[0-9a-f-]{36}\n$/, 'the address alone is data');
  return stdout.trim();
}

export const labWorker = (daemon: ServedDaemon): Promise<string> => newWorker(daemon, '--profile', labProfile);

/** An input of the lab. */
export const order = (deed: string, more: object = {}): string => JSON.stringify({ do: deed, ...more });
