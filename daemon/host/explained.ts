// What is known of one event of a plugin, of those that share a correlation id, or of the newest.
import type { OperationResult } from '../../protocol/operations.ts';
import type { DeadLetters } from '../services/dead-letters.ts';
import type { Service } from '../services/service.ts';
import type { Timeline } from '../telemetry/timeline.ts';

export interface Explaining {
  readonly service: Service | undefined;
  readonly deadLetters: DeadLetters;
  readonly timeline: Timeline;
}

export function explained(
  { service, deadLetters, timeline }: Explaining,
  event: string | undefined,
  limit: number,
): OperationResult<'event.explain'> {
  const { events, forgotten, open } = service?.trail(event, limit) ?? { events: [], forgotten: 0, open: [] };
  return {
    events,
    forgotten,
    open,
    deadLetters: event === undefined ? [] : deadLetters.idsOf(event),
    entries: event === undefined ? timeline.newest(limit) : timeline.about(event, limit),
  };
}
