// How an old incarnation makes way for the next: it stops between two events, and one that cannot is cut off. Two cells
// of one service do not execute side by side if it can be helped; but one that sits in native code is not waited for,
// because whatever it had has been taken from it.
import type { Incarnation } from '../dispatch/incarnation.ts';
import { locateMs } from '../isolates/stack-capture.ts';

/** What an old cell gets to be gone before the next one executes. */
const partMs = 100;
/** Beyond its deadline, what an old cell gets to say that it stopped. */
export const haltSlackMs = 500;

/** Resolves when it is gone, or has had its time. */
export const waitForExit = (old: Incarnation): Promise<unknown> => old.endsWithin(partMs);

/**
 * Resolves when the old one executes nothing more. An event that overruns meanwhile ends its cell by its own deadline.
 */
export async function haltOrKill(old: Incarnation): Promise<void> {
  if (await old.halt(old.handleMs + locateMs + haltSlackMs)) {
    if (old.condemned) await waitForExit(old);
    return;
  }
  // Sealed, it begins nothing and settles nothing any more.
  const sealed = old.lane.sealBetween();
  old.kill('a new incarnation takes over');
  if (sealed) await waitForExit(old);
  else await old.ended;
}
