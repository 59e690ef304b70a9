// How `ctx.state` goes from one incarnation to the next: the next one starts with what is committed, and gets what the
// old one has committed since when it takes over.
import type { HostError } from '../../protocol/errors.ts';
import type { Incarnation } from '../dispatch/incarnation.ts';
import type { LifeDeps } from './incarnations.ts';
import type { Reloading } from './service-state.ts';

type StateDeps = Pick<LifeDeps, 'durable' | 'journal' | 'settlement' | 'state'>;

/** What its start has changed takes effect. Its events come afterwards. */
export async function keepStartChanges({ startChanges }: Incarnation, { durable, state }: StateDeps): Promise<void> {
  if (startChanges === null) return;
  if (durable()) await state.commit(startChanges);
  else state.write(startChanges);
}

/**
 * The new incarnation gets the state as the old one, which executes nothing any more, has left it. One whose start
 * wrote to the state, while the old one `changed` it, is started once more. Returns the one that takes over; it is over
 * where its start has failed.
 */
export async function handState(
  reloading: Reloading,
  changed: Set<string>,
  deps: StateDeps,
  spawn: () => Incarnation,
): Promise<Incarnation> {
  const { settlement, state, journal } = deps;
  await settlement.empty();
  state.unwatch(changed);
  const { next } = reloading;
  const startsAgain = changed.size > 0 && next.startChanges !== null;
  if (startsAgain) {
    reloading.next = spawn();
    next.kill('the state was changed while it started');
  }
  try {
    if (startsAgain) await reloading.next.start();
    else if (changed.size > 0) next.replaceState(state.text());
    await keepStartChanges(reloading.next, deps);
  } catch (thrown) {
    journal.failure(thrown as HostError, reloading.next.number);
    reloading.next.kill('the start failed');
    await reloading.next.ended;
  }
  return reloading.next;
}
