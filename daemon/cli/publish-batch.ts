// Queues a batch of events in order and, where asked, waits for room: the daemon holds what finds the queue full, for a
// while, and then it comes again.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../protocol/client/client.ts';
import type { WireError } from '../../protocol/errors.ts';
import type { IngressEventInput } from '../../protocol/event.ts';

export type PublishResult =
  | { readonly accepted: true; readonly eventId: string; readonly correlationId: string; readonly queueDepth: number }
  | { readonly accepted: false; readonly error: WireError };

export interface Settled {
  /** Place of the event in its batch. */
  readonly index: number;
  readonly result: PublishResult;
}

/** Well within what a client waits for an answer. */
const heldMs = 10_000;
const retryBoundsMs = [5, 1000] as const;

function retryAfterMs(error: WireError): number {
  const asked = Number(error.details['retryAfterMs']);
  return Math.min(retryBoundsMs[1], Math.max(retryBoundsMs[0], Number.isFinite(asked) ? asked : 50));
}

export async function publishBatch(
  client: Client,
  plugin: string,
  events: readonly IngressEventInput[],
  wait: boolean,
  settle: (settled: Settled) => void,
): Promise<void> {
  let open = events.map((event, index) => ({ event, index }));
  while (open.length > 0) {
    const answer = await client.call('ingress.publish', {
      plugin,
      events: open.map(({ event }) => event),
      ...(wait ? { wait, timeoutMs: heldMs } : {}),
    });
    const results: readonly PublishResult[] = 'results' in answer ? answer.results : [];
    const again: typeof open = [];
    let pauseMs = 0;
    for (const [at, row] of open.entries()) {
      const result = results[at];
      if (result === undefined) throw new TypeError('the daemon answered fewer results than it was sent events');
      if (wait && !result.accepted && result.error.code === 'queue_full') {
        again.push(row);
        pauseMs = Math.max(pauseMs, retryAfterMs(result.error));
      } else settle({ index: row.index, result });
    }
    open = again;
    if (open.length > 0) await sleep(pauseMs);
  }
}
