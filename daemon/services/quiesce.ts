// How a running service is brought to rest: it finishes what it has, stops between two events, and is asked to stop
// itself; each step within its deadline.
import { HostError } from '../../protocol/errors.ts';
import { type Redact, causeOf } from '../dispatch/cause.ts';
import type { Incarnation } from '../dispatch/incarnation.ts';
import type { Intake } from './intake.ts';
import type { Journal } from './journal.ts';

/** What a stopping cell gets to finish the event at hand once its draining time is over. */
const haltMs = 100;

/** What could not be finished in time is the error; an end of the cell meanwhile is none of this step's. */
export async function quiesce(live: Incarnation, intake: Intake, journal: Journal, stopMs: number, redact: Redact): Promise<HostError | undefined> {
  if ((await live.drain(stopMs)) === 'ended') return undefined;
  intake.discardQueued('service_stopped');
  if (!(await live.halt(haltMs))) {
    return new HostError('stop_timeout', `An event was still being handled ${String(stopMs)} ms after the stop; its cell was ended.`, { phase: 'draining', timeoutMs: stopMs });
  }
  intake.discard(live.takeRemains().untouched, 'service_stopped');
  const stopped = await live.stop(stopMs);
  if (stopped.ok || stopped.phase === 'ended') return undefined;
  if (stopped.phase === 'deadline') {
    return new HostError('stop_timeout', `The plugin's stop did not return within ${String(stopMs)} ms; its cell was ended.`, { phase: 'stop', timeoutMs: stopMs });
  }
  const cause = causeOf(stopped.error, redact);
  journal.failure(new HostError('stop_failed', `The plugin's stop failed: ${cause.message}`, { cause }), live.number);
  return undefined;
}
