// Brings a running service to rest: it finishes what it has, halts between two events, and then the plugin's own stop
// runs. Each step has its deadline.
import { HostError } from '../../protocol/errors.ts';
import { type Redact, causeOf, causeText } from '../dispatch/cause.ts';
import type { Incarnation } from '../dispatch/incarnation.ts';
import type { Intake } from './intake.ts';
import type { Journal } from './journal.ts';

/** What a stopping cell gets to finish the event at hand once its draining time is over. */
const haltMs = 100;

export interface StopTimes {
  readonly drainMs: number;
  /** For the plugin's own stop. */
  readonly stopMs: number;
}

/** `withinMs` bounds the whole stop: draining gets at most half of it, so that the plugin's own stop always gets its turn. */
export function stopTimes(stopMs: number, withinMs: number): StopTimes {
  const eachMs = Math.min(stopMs, Math.max(0, Math.floor((withinMs - haltMs) / 2)));
  return { drainMs: eachMs, stopMs: eachMs };
}

/** Returns what could not be finished in time. If the cell ends meanwhile, somebody else reports it. */
export async function quiesce(live: Incarnation, intake: Intake, journal: Journal, { drainMs, stopMs }: StopTimes, redact: Redact): Promise<HostError | undefined> {
  if ((await live.drain(drainMs)) === 'ended') return undefined;
  intake.discardQueued('service_stopped');
  if (!(await live.halt(haltMs))) {
    return new HostError('stop_timeout', `An event was still being handled ${String(drainMs)} ms after the stop; its cell was ended.`, { phase: 'draining', timeoutMs: drainMs });
  }
  intake.discard(live.takeRemains().untouched, 'service_stopped');
  const stopped = await live.stop(stopMs);
  if (stopped.ok || stopped.phase === 'ended') return undefined;
  if (stopped.phase === 'deadline') {
    return new HostError('stop_timeout', `The plugin's stop did not return within ${String(stopMs)} ms; its cell was ended.`, { phase: 'stop', timeoutMs: stopMs });
  }
  const cause = causeOf(stopped.error, redact);
  journal.failure(new HostError('stop_failed', `The plugin's stop failed: ${causeText(cause)}`, { cause }), live.number);
  return undefined;
}
