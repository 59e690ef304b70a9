// A service with state: counts what came, and forgets the sources it has not heard of for longest when there are too
// many, so that a sender who invents names cannot make it grow.
import { defineService } from 'nagaya/sdk';

let maxSources = 100;

/** Counts by kind, by source; the source that was heard of last stands last. */
const sources = new Map();
/** Deliveries already counted: senders repeat a webhook whose answer they missed. */
const seen = new Set();
const maxSeen = 1000;
let repeated = 0;
let forgotten = 0;

function isRepeated(delivery) {
  if (delivery === undefined) return false;
  if (seen.has(delivery)) return true;
  seen.add(delivery);
  if (seen.size > maxSeen) seen.delete(seen.values().next().value);
  return false;
}

export const service = defineService({
  start(ctx) {
    maxSources = ctx.config.maxSources ?? maxSources;
  },

  handleIngress(event, ctx) {
    if (isRepeated(event.payload.headers['x-delivery'])) {
      repeated += 1;
      ctx.log.warn('a repeated delivery was not counted', { source: event.source });
      return { counted: false };
    }
    const counts = sources.get(event.source) ?? {};
    counts[event.kind] = (counts[event.kind] ?? 0) + 1;
    sources.delete(event.source);
    sources.set(event.source, counts);
    if (sources.size > maxSources) {
      const [oldest] = sources.keys();
      sources.delete(oldest);
      forgotten += 1;
    }
    return { counted: true, [event.kind]: counts[event.kind] };
  },

  status() {
    return { sources: Object.fromEntries(sources), repeated, forgotten };
  },
});
