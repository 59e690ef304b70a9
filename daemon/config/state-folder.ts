// Where the daemon keeps logs and state when the configuration does not say, and that nobody else can read it.
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { HostError } from '../../protocol/errors.ts';
import { makeFolders } from '../files/make-folders.ts';
import { kindOfFile, wordingOfWriteError } from '../files/file-fault.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A folder of the XDG base directories; their specification has relative values ignored. */
export function baseFolder(name: 'XDG_STATE_HOME' | 'XDG_CONFIG_HOME', fallback: string, env: Environment): string {
  const given = env[name];
  return given !== undefined && isAbsolute(given) ? given : join(env['HOME'] || homedir(), fallback);
}

export function defaultStateFolder(env: Environment = process.env): string {
  if (env['NAGAYA_STATE']) return resolve(env['NAGAYA_STATE']);
  return join(baseFolder('XDG_STATE_HOME', '.local/state', env), 'nagaya');
}

/** Makes the folder, for this user alone; one that is there already keeps the permissions it was given. */
export async function prepareStateFolder(path: string): Promise<void> {
  const refuse = (message: string): HostError =>
    new HostError('config_invalid', `The state folder ${path} ${message}.`, {
      path,
      issues: [{ path: 'stateFolder', message }],
    });
  try {
    makeFolders(path);
  } catch (error) {
    throw refuse(
      (await isOther(path)) ??
        `cannot be made: it ${wordingOfWriteError(error)}; name another with stateFolder or $NAGAYA_STATE`,
    );
  }
}

/** What stands in the folder's place. */
async function isOther(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path);
    return found.isDirectory()
      ? undefined
      : `is ${kindOfFile(found)}; remove it, or name another with stateFolder or $NAGAYA_STATE`;
  } catch {
    // Nothing stands there: the error of making it says why.
    return undefined;
  }
}
