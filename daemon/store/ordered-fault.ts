// Faults of the store that a test orders by a failpoint. The storekeeper's thread knows no failpoints: the order
// travels with the message that it is meant for.
import type { OrderedFault } from '../../protocol/store/messages.ts';
import { failpoint } from '../files/failpoints.ts';

const orders = {
  'store-before-commit': { die: 'die-before-commit', kill: 'kill-before-commit' },
  'store-after-commit': { die: 'die-after-commit', kill: 'kill-after-commit' },
} as const;

export function orderedFault(): OrderedFault | undefined {
  for (const name of ['store-before-commit', 'store-after-commit'] as const) {
    const hit = failpoint(name);
    // `=kill` ends the whole daemon there; otherwise the thread alone.
    if (hit !== undefined) return orders[name][hit.argument === 'kill' ? 'kill' : 'die'];
  }
  if (failpoint('store-full') !== undefined) return 'disk-full';
  if (failpoint('store-sync') !== undefined) return 'sync';
  return failpoint('store-hang') === undefined ? undefined : 'hang';
}
