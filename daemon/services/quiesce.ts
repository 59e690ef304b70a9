// Brings a running incarnation to rest: it finishes what the order allows, stops between two events, and runs the
// plugin's own stop. Each step has a deadline; what ignores it is cut off, and its event is kept.
import { HostError } from '../../protocol/errors.ts';
import type { Clock } from '../time/clock.ts';
import { type Redact, causeOf, causeText } from '../dispatch/plugin-error.ts';
import { locateMs } from '../isolates/stack-capture.ts';
import { haltSlackMs } from './hand-over.ts';
import type { Incarnation } from '../dispatch/incarnation.ts';
import type { Intake } from './intake.ts';
import type { Journal } from './journal.ts';
import type { Outcomes } from './outcomes.ts';
import type { StopOrder } from './stop-order.ts';

export interface QuiesceDeps {
  readonly clock: Clock;
  readonly intake: Intake;
  readonly journal: Journal;
  readonly outcomes: Outcomes;
  readonly redact: Redact;
  readonly limits: { readonly abortGraceMs: number; readonly killMs: number };
}

/** After the drain, the time for the event that is executing to finish before its signal is aborted. */
const haltMs = 100;

interface StopTimes {
  readonly drainMs: number;
  /** For the plugin's own stop. */
  readonly stopMs: number;
}

/**
 * `withinMs` bounds the whole stop: draining gets at most half of it, so that the plugin's own stop always gets its
 * turn.
 */
function stopTimes(stopMs: number, withinMs: number): StopTimes {
  const eachMs = Math.min(stopMs, Math.max(0, Math.floor((withinMs - haltMs) / 2)));
  return { drainMs: eachMs, stopMs: eachMs };
}

/**
 * Afterwards the incarnation begins nothing more; whatever it had not finished is in the queue again, or follows with
 * the end of its cell.
 */
export async function quiesce(
  live: Incarnation,
  order: StopOrder,
  timeoutMs: number,
  deps: QuiesceDeps,
): Promise<void> {
  const { intake } = deps;
  const { drainMs, stopMs } = stopTimes(timeoutMs, order.withinMs);
  const drains = !order.now && !order.discard && !order.comesBack;
  if (drains && (await Promise.race([live.drain(drainMs), order.hastened])) === 'ended') return;
  if (order.discard) intake.discardQueued('service_stopped');
  else if (!order.comesBack) intake.refuseWaiting('service_stopped');
  const patienceMs = order.comesBack ? live.handleMs + locateMs + haltSlackMs : order.discard ? drainMs : haltMs;
  const rests =
    (await haltsWithin(live, order, patienceMs)) ||
    (!live.over && (await live.interrupt('the service stops', deps.limits.abortGraceMs)));
  if (live.over) return;
  if (!rests) {
    cutOff(live, order, drainMs, deps);
    return;
  }
  // One that overran has been decided about, and its cell is on its way to its end.
  if (live.condemned) return;
  intake.queue.giveBack(live.takeRemains().untouched);
  await stopPlugin(live, order, stopMs, deps);
}

async function haltsWithin(live: Incarnation, order: StopOrder, patienceMs: number): Promise<boolean> {
  if (order.now) return false;
  return (await Promise.race([live.halt(patienceMs), order.hastened])) === true;
}

/** The event that is executing is decided about at once; nobody waits for its cell to be gone. */
function cutOff(
  live: Incarnation,
  order: StopOrder,
  drainMs: number,
  { intake, outcomes, journal }: QuiesceDeps,
): void {
  const event = live.lane.claimRunning();
  if (event !== undefined) live.lane.settleClaimed(outcomes.cutOff(event, live.number, order.comesBack));
  if (event !== undefined || live.lane.sealBetween()) intake.queue.giveBack(live.takeRemains().untouched);
  live.end();
  if (order.now || order.comesBack) return;
  const error = new HostError(
    'stop_timeout',
    `An event was still being handled ${String(drainMs)} ms after the stop; its cell was ended.`,
    { phase: 'draining', timeoutMs: drainMs },
  );
  journal.failure(error, live.number, event);
  order.failed(error);
}

async function stopPlugin(
  live: Incarnation,
  order: StopOrder,
  stopMs: number,
  { journal, redact, limits, clock }: QuiesceDeps,
): Promise<void> {
  const hurriedMs = Math.min(stopMs, limits.killMs);
  const timeoutMs = order.now ? hurriedMs : stopMs;
  void order.hastened.then(() => clock.after(hurriedMs, () => live.end()));
  const stopped = await live.stop(timeoutMs);
  if (stopped.ok || stopped.phase === 'ended') return;
  if (stopped.phase === 'deadline') {
    const error = new HostError(
      'stop_timeout',
      `The plugin's stop did not return within ${String(timeoutMs)} ms; its cell was ended.`,
      { phase: 'stop', timeoutMs },
    );
    journal.failure(error, live.number);
    order.failed(error);
    return;
  }
  const cause = causeOf(stopped.error, redact);
  const error = new HostError('stop_failed', `The plugin's stop failed: ${causeText(cause)}`, { cause });
  journal.failure(error, live.number);
  order.failed(error);
}
