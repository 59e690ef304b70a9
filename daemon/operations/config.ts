// What the operation on the configuration does.
import type { ConfigReload, configOperations } from '../../protocol/operations/config.ts';
import type { Handlers } from './caller.ts';

export function configHandlers(reload: () => Promise<ConfigReload>): Pick<Handlers, keyof typeof configOperations> {
  return { 'config.reload': reload };
}
