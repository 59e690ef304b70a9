// The guard of a thread that a plugin starts itself, as the cell that started it says.
import { syncBuiltinESMExports } from 'node:module';
import { shieldDaemon } from './guard.ts';
import { nameChannelsFor } from './guard/channels.ts';
import { shieldControlSocket } from './guard/control-socket.ts';
import { type NestedGuard, guardThreads } from './guard/threads.ts';

/** `text`: what the cell hands on, as JSON. */
export function shieldNested(text: string): void {
  const { shieldsDaemon, addons, plugin, controlSocket } = JSON.parse(text) as NestedGuard;
  nameChannelsFor(plugin);
  if (controlSocket !== undefined) shieldControlSocket(controlSocket);
  if (shieldsDaemon) shieldDaemon({ worker: true, addons });
  else guardThreads({ worker: true, addons }, false);
  syncBuiltinESMExports();
}
