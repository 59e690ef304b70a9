// A process cell under permissions that was not granted the daemon's control socket: beside the connection itself, the
// ways by which code of the plugin's would run without its guard are closed.
import module, { syncBuiltinESMExports } from 'node:module';
import { shieldControlSocket } from './control-socket.ts';
import { denial } from './denial.ts';
import { shieldLoaders } from './modules.ts';
import { guardThreads } from './threads.ts';

const remedy = 'Grant it with "permissions": { "control": true } in plugin.json.';

/** `mayStartWorkers`: where it may not, the cell refuses them altogether. */
export function keepControlSocket(path: string, mayStartWorkers: boolean): void {
  shieldControlSocket(path);
  if (mayStartWorkers) guardThreads({ worker: true, addons: false }, false);
  shieldLoaders(
    module,
    denial('module.register()', "loaders run in a thread that is not kept from the daemon's control socket", remedy),
  );
  syncBuiltinESMExports();
}
