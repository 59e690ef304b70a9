// What is known of one event of a plugin, of those that share a correlation id, or of the newest.
import type { OperationResult } from '../../protocol/operations.ts';
import type { OpenEvent } from '../../protocol/operations/telemetry.ts';
import type { PluginOutputs } from '../outputs/plugin-outputs.ts';
import type { DeadLetters } from '../services/dead-letters.ts';
import type { Service } from '../services/service.ts';
import type { PluginHistory } from './plugin-history.ts';

export interface Explaining {
  readonly service: Service | undefined;
  readonly deadLetters: DeadLetters;
  readonly history: PluginHistory;
  readonly outputs: Pick<PluginOutputs, 'about'>;
}

/** Without what is explained of the plugin as a whole. */
export type Story = Omit<OperationResult<'event.explain'>, 'explanation'>;

/** None where the store does not work: what is known without it is told all the same. */
async function storedOf(service: Service | undefined, event: string, limit: number): Promise<OpenEvent[]> {
  try {
    return (await service?.stored(event, limit)) ?? [];
  } catch {
    // The store has told the operator why.
    return [];
  }
}

/** What this daemon saw, and in front of it what an earlier one kept. */
export async function explained(
  { service, deadLetters, history, outputs }: Explaining,
  event: string | undefined,
  limit: number,
): Promise<Story> {
  const { timeline } = history;
  // First what is on disk alone: it may come into memory meanwhile.
  const stored = event === undefined ? [] : await storedOf(service, event, limit);
  const { events, forgotten, open } = service?.trail(event, limit) ?? { events: [], forgotten: 0, open: [] };
  const inMemory = new Set(open.map(({ eventId }) => eventId));
  const entries = event === undefined ? timeline.newest(limit) : timeline.about(event, limit);
  const letters = event === undefined ? [] : deadLetters.idsOf(event);
  const [olderEvents, olderEntries] = await Promise.all([
    events.length < limit ? history.olderAttempts(event, limit - events.length) : [],
    entries.length < limit ? history.olderEntries(event, limit - entries.length) : [],
  ]);
  return {
    events: [...olderEvents, ...events],
    forgotten,
    open: [...open, ...stored.filter(({ eventId }) => !inMemory.has(eventId))].slice(0, limit),
    deadLetters: letters,
    commands: event === undefined ? [] : outputs.about(event).slice(0, limit),
    entries: [...olderEntries, ...entries],
  };
}
