// `plugins.envFile`: variables for plugins and for the credentials of sources and outputs, as if they stood in the
// daemon's environment. A daemon that a service manager starts has no other place for them. What the environment itself
// sets stays as it is, so that one start can differ from the file.
import { statSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { HostError } from '../../protocol/errors.ts';
import { readBoundedText } from '../files/bounded-file.ts';

const maxBytes = 256 * 1024;
const othersMay = 0o077;
const nameForm = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
/** They mean something to the daemon and to Node, not to plugins. */
const reserved = /^(?:NAGAYA_|NODE_|LD_|UV_)/;

export class EnvFile {
  readonly #env: NodeJS.ProcessEnv;
  /** Names that came from the file. */
  #names = new Set<string>();

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  /** Throws `config_invalid`; then nothing has changed. Answers how many variables the file sets. */
  read(path: string | undefined): number {
    const found = path === undefined ? {} : valuesIn(path);
    for (const name of this.#names) if (!Object.hasOwn(found, name)) delete this.#env[name];
    const own = Object.keys(found).filter((name) => this.#names.has(name) || this.#env[name] === undefined);
    for (const name of own) this.#env[name] = found[name];
    this.#names = new Set(own);
    return own.length;
  }
}

function valuesIn(path: string): Record<string, string> {
  const file = readBoundedText(path, { maxBytes });
  if (!file.ok) throw refusal(path, `the file ${file.message}`);
  if ((statSync(path).mode & othersMay) !== 0)
    throw refusal(path, 'the file can be read or written by others; `chmod 600` it');
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(parseEnv(file.text))) {
    if (!nameForm.test(name)) throw refusal(path, `"${name.slice(0, 64)}" is no name of a variable`);
    if (reserved.test(name)) throw refusal(path, `${name} is not for plugins; set it where the daemon is started`);
    values[name] = String(value);
  }
  return values;
}

const refusal = (path: string, message: string): HostError =>
  new HostError('config_invalid', `plugins.envFile: ${path}: ${message}.`, {
    path,
    issues: [{ path: 'plugins.envFile', message }],
  });
