// `nagaya mcp add NAME -- COMMAND…`: writes a plugin that is an MCP server into the state folder, and loads it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '../../protocol/client/client.ts';
import { HostError } from '../../protocol/errors.ts';
import type { OperationResult } from '../../protocol/operations.ts';

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
}

export async function addServer(
  client: Client,
  { name, command, env, url, authEnv }: AddedServer,
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
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(join(folder, 'plugin.json'), `${JSON.stringify(manifest, null, 2)}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new HostError('plugin_already_loaded', `There is a server ${id} already, in ${folder}.`, {
      plugin: id,
      path: folder,
    });
  }
  const loaded = await client.call('plugin.load', { path: folder });
  // It stays loaded where its start fails, for then the command can be corrected.
  await client.call('service.start', { plugin: id });
  return { ...loaded, folder };
}
