// How long an event waits after its handler threw. Pure, so that it can be tested without a service.
import type { RetryOptions } from '../../protocol/manifest.ts';

/** More than lie between the bounds of any configuration; without end the delay would come to be no number. */
const mostDoublings = 40;

/**
 * Doubles with each failed attempt. There is no jitter: the events of a service are handled one after the other anyway.
 */
export function retryDelayMs(
  { backoffMs: [least, most] }: Pick<RetryOptions, 'backoffMs'>,
  failedAttempts: number,
): number {
  return Math.max(least, Math.min(most, least * 2 ** Math.min(failedAttempts - 1, mostDoublings)));
}
