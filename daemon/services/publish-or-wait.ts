// Events of a publisher that would rather wait than be refused: they are queued in order as there is room, until its
// time is over. What is refused for another reason than a full queue is refused at once.
import { asHostError } from '../../protocol/errors.ts';
import type { Clock } from '../time/clock.ts';
import type { Accepted, Refused } from './admitted.ts';

export interface PatientQueue {
  /** Undefined: there is no room. Throws what it refuses. */
  tryPublish(raw: unknown): Accepted | undefined;
  publish(raw: unknown): Accepted;
  /** Calls when there may be room; answers how to stop that. */
  awaitRoom(waiting: () => boolean): () => void;
}

export interface Patience {
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** The publisher has gone. */
  readonly signal: () => AbortSignal;
}

/** Answers at once where nothing has to wait. */
export function publishOrWait(
  queue: PatientQueue,
  events: readonly unknown[],
  patience: Patience,
): readonly (Accepted | Refused)[] | Promise<readonly (Accepted | Refused)[]> {
  const results: (Accepted | Refused)[] = [];
  /** True when all have their answer. */
  const advance = (take: (raw: unknown) => Accepted | undefined): boolean => {
    while (results.length < events.length) {
      const result = attempt(take, events[results.length]);
      if (result === undefined) return false;
      results.push(result);
    }
    return true;
  };
  const takeWhereRoom = (raw: unknown): Accepted | undefined => queue.tryPublish(raw);
  if (advance(takeWhereRoom)) return results;
  return new Promise((resolve) => {
    const signal = patience.signal();
    const end = (): void => {
      stopWaiting();
      timer.cancel();
      signal.removeEventListener('abort', end);
      resolve(results);
    };
    // Whatever has found no room by now is refused for that, and counted.
    const giveUp = (): void => {
      advance((raw) => queue.publish(raw));
      end();
    };
    const stopWaiting = queue.awaitRoom(() => {
      const all = advance(takeWhereRoom);
      if (all) end();
      return all;
    });
    const timer = patience.clock.after(patience.timeoutMs, giveUp);
    signal.addEventListener('abort', end, { once: true });
  });
}

function attempt(take: (raw: unknown) => Accepted | undefined, raw: unknown): Accepted | Refused | undefined {
  try {
    return take(raw);
  } catch (thrown) {
    return { accepted: false, error: asHostError(thrown).toWire() };
  }
}
