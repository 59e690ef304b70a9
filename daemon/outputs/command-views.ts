// What is told of the commands of an event: of those that were delivered the newest are remembered, so that the whole
// way of an event can be told.
import type { SentCommandView } from '../../protocol/operations/telemetry.ts';
import type { Command, DeadCommand } from './command.ts';
import type { PendingView } from './output-queue.ts';

interface Delivered {
  readonly command: Pick<Command, 'id' | 'eventId' | 'correlationId' | 'output'>;
  readonly attempts: number;
  readonly atMs: number;
}

export class DeliveredCommands {
  readonly #most: number;
  readonly #kept: Delivered[] = [];
  /** Where the next one goes once all places are taken. */
  #next = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add({ id, eventId, correlationId, output }: Command, attempts: number, atMs: number): void {
    this.#kept[this.#next] = { command: { id, eventId, correlationId, output }, attempts, atMs };
    this.#next = (this.#next + 1) % this.#most;
  }

  of(id: string): SentCommandView[] {
    return this.#kept
      .filter(({ command }) => isOf(command, id))
      .map(({ command, attempts, atMs }) => ({
        ...named(command),
        state: 'sent',
        attempts,
        at: instant(atMs),
        nextAt: null,
        error: null,
      }));
  }
}

export const isOf = ({ eventId, correlationId }: Pick<Command, 'eventId' | 'correlationId'>, id: string): boolean =>
  eventId === id || correlationId === id;

export const pendingView = ({ command, attempts, lastError, nextMs }: PendingView): SentCommandView => ({
  ...named(command),
  state: 'pending',
  attempts,
  at: null,
  nextAt: nextMs === undefined ? null : instant(nextMs),
  error: lastError ?? null,
});

export const deadView = ({ attempts, deadMs, error, ...command }: DeadCommand): SentCommandView => ({
  ...named(command),
  state: 'dead',
  attempts,
  at: instant(deadMs),
  nextAt: null,
  error: { ...error },
});

/** In the order in which the event sent them. */
export const byId = (one: SentCommandView, other: SentCommandView): number =>
  one.eventId === other.eventId ? numberOf(one) - numberOf(other) : one.eventId < other.eventId ? -1 : 1;

const numberOf = ({ id }: SentCommandView): number => Number(id.slice(id.lastIndexOf('/') + 1));

const named = ({ id, eventId, output }: Pick<Command, 'id' | 'eventId' | 'output'>) => ({ id, eventId, output });

const instant = (ms: number): string => new Date(ms).toISOString();
