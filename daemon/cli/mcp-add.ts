// `nagaya mcp add NAME -- COMMAND…`: writes a plugin that is an MCP server into the state folder, and loads it.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '../../protocol/client/client.ts';
import { HostError } from '../../protocol/errors.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import { sentence } from '../../protocol/plural.ts';
import { localFailure } from './failure.ts';

/** What most programs need to find others, and where they may keep files. */
const usualNames = ['PATH', 'HOME'];

export interface AddedServer {
  readonly name: string;
  /** A command with its arguments, or one address. */
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly url?: string | undefined;
  /** The variable with the token for that address. */
  readonly authEnv?: string | undefined;
  /** Write over what an unloaded server of that name has left. */
  readonly replace?: boolean | undefined;
}

export async function addServer(
  client: Client,
  { name, command, env, url, authEnv, replace = false }: AddedServer,
): Promise<OperationResult<'plugin.load'> & { readonly folder: string }> {
  const { stateFolder } = await client.call('daemon.status', {});
  const id = name.toLowerCase().replaceAll(/[^a-z0-9._-]/g, '-');
  const folder = join(stateFolder, 'mcp', 'servers', id);
  const [program, ...args] = command;
  const manifest = {
    schemaVersion: 1,
    id,
    name,
    version: '1.0.0',
    description: url ?? command.join(' ').slice(0, 500),
    env: [...new Set([...(url === undefined ? usualNames : []), ...env])],
    mcp:
      url === undefined
        ? { command: program, args }
        : { url, ...(authEnv === undefined ? {} : { auth: { env: authEnv, prefix: 'Bearer ' } }) },
  };
  const { plugins } = await client.call('plugin.list', {});
  if (plugins.some((plugin) => plugin.id === id))
    throw new HostError('plugin_already_loaded', `There is a plugin ${id} already.`, { plugin: id });
  const isNew = writeManifest(folder, `${JSON.stringify(manifest, null, 2)}\n`, replace);
  const loaded = await client.call('plugin.load', { path: folder }).catch((thrown: unknown) => {
    // Nobody needs what was refused; where no answer came, it may have been loaded.
    if (isNew && thrown instanceof HostError && thrown.code !== 'connection_closed')
      rmSync(join(folder, 'plugin.json'));
    throw thrown;
  });
  try {
    await client.call('service.start', { plugin: id });
  } catch (thrown) {
    if (!(thrown instanceof HostError)) throw thrown;
    // It stays loaded, for then its plugin.json can be corrected.
    const words = `${sentence(thrown.message)} It stays loaded. What it wrote is in \`nagaya logs ${id}\`; correct ${join(folder, 'plugin.json')} and \`nagaya reload ${id}\`, or take it away with \`nagaya unload ${id}\`.`;
    throw new HostError(thrown.code, words, thrown.details);
  }
  return { ...loaded, folder };
}

/**
 * What is there is of a server that was unloaded: perhaps corrected by hand, and not to be lost by a name used twice.
 * Says whether nothing was there.
 */
function writeManifest(folder: string, text: string, replace: boolean): boolean {
  const path = join(folder, 'plugin.json');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(path, text, { mode: 0o600, flag: replace ? 'w' : 'wx' });
    return !replace;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    if (readFileSync(path, 'utf8') === text) return false;
    throw localFailure(
      new HostError('invalid_request', `A server of that name was added before: ${path} holds something else.`),
      `Load it again with \`nagaya load ${folder}\`, or write over it with --replace.`,
    );
  }
}
