// What subscribers are told of services every moment: only those whose counters have changed.
import type { Feed } from '../telemetry/feed.ts';
import type { Clock } from '../time/clock.ts';
import type { HostedPlugin } from './hosted-plugin.ts';

/** `last`: what was told last, by plugin. */
export function publishCounters(
  hosted: readonly HostedPlugin[],
  last: Map<string, string>,
  { feed, clock }: { readonly feed: Feed; readonly clock: Clock },
): void {
  if (!feed.wants('counters')) return;
  const ids = new Set(hosted.map(({ id }) => id));
  for (const id of last.keys()) if (!ids.has(id)) last.delete(id);
  for (const { id, service } of hosted) {
    if (service === undefined) continue;
    const { lifecycle, incarnation, queue, inFlight, counters, lastError, latencyMs } = service.status();
    const mark = JSON.stringify([lifecycle, incarnation, counters]);
    if (last.get(id) === mark) continue;
    last.set(id, mark);
    feed.publish({
      topic: 'counters',
      at: new Date(clock.wallMs()).toISOString(),
      plugin: id,
      data: { lifecycle, incarnation, queue, inFlight, counters, lastError, latencyMs },
    });
  }
}
