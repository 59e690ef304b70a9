// Credentials as sources and outputs name them: a variable of the daemon's environment, or a file of the operator's.
// They are read in this thread alone, and never leave it but in what is sent to the place they are meant for.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { CredentialName } from '../../protocol/sources.ts';

export type Found = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly message: string };

const mostBytes = 64 * 1024;
const othersMay = 0o077;

export class Credentials {
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  find(name: CredentialName): Found {
    if (typeof name !== 'string') return readSecretFile(name.file);
    const value = this.#env[name];
    return value === undefined || value === ''
      ? { ok: false, message: `the variable ${name} is not set in the daemon's environment` }
      : { ok: true, value };
  }
}

const missing = (message: string): Found => ({ ok: false, message });

/** In the calling thread, because a plugin may have filled libuv's pool of threads. */
function readSecretFile(path: string): Found {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = fstatSync(file);
    if (!found.isFile()) return missing('the credential file is no regular file');
    if ((found.mode & othersMay) !== 0)
      return missing('the credential file can be read or written by others; `chmod 600` it');
    if (found.size > mostBytes) return missing(`the credential file is larger than ${String(mostBytes)} bytes`);
    const bytes = Buffer.alloc(mostBytes);
    const length = readSync(file, bytes, 0, mostBytes, 0);
    const value = bytes.toString('utf8', 0, length).replace(/\r?\n$/, '');
    return value === '' ? missing('the credential file is empty') : { ok: true, value };
  } catch (error) {
    return missing(`the credential file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
