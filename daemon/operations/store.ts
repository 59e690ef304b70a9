// What the operations on the store do.
import { isAbsolute } from 'node:path';
import { HostError } from '../../protocol/errors.ts';
import type { StoreStatus, storeOperations } from '../../protocol/operations/store.ts';
import type { Store } from '../store/store.ts';
import type { Handlers } from './caller.ts';

export function storeHandlers(store: Store, limitBytes: number): Pick<Handlers, keyof typeof storeOperations> {
  return {
    'store.status': async () => {
      // A store that does not work says so, instead of what it holds.
      const usage = await store.kept.usage().catch(() => ({ tables: [], fileBytes: 0, usedBytes: 0 }));
      const { state, fault, sinceMs, pending, counters, repairs } = store.health();
      const told: StoreStatus['fault'] =
        fault === null
          ? null
          : { reason: fault.reason, message: fault.message, since: new Date(sinceMs ?? 0).toISOString() };
      return {
        state,
        folder: store.folder,
        fault: told,
        ...usage,
        tables: [...usage.tables],
        limitBytes,
        pending,
        counters,
        repairs: [...repairs],
      };
    },
    'store.backup': async ({ path }) => {
      if (!isAbsolute(path))
        throw new HostError('invalid_request', 'The path of a backup is absolute.', {
          issues: [{ path: 'path', message: 'must be absolute' }],
        });
      const report = await store.kept.backup(path);
      if (report === undefined)
        throw new HostError('unsupported_operation', 'Nothing is stored yet, so there is nothing to back up.', {
          instead: 'store.status',
        });
      return { path, ...report };
    },
    'store.verify': async () => {
      const { entries, bytes, damaged, damagedCount } = await store.kept.verify();
      return { entries, bytes, damagedCount, damaged: [...damaged] };
    },
  };
}
