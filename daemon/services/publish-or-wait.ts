// Events of a publisher that would rather wait than be refused: they are queued in order as there is room, until its
// time is over. What is refused for another reason than a full queue is refused at once.
import { asHostError } from '../../protocol/errors.ts';
import type { Clock } from '../time/clock.ts';
import type { Accepted, Refused } from './admitted.ts';

/** An event that is stored has its answer later. */
type Pending = Accepted | Refused | Promise<Accepted | Refused>;

export interface PatientQueue {
  /** Undefined: there is no room. Throws what it refuses. */
  tryPublish(raw: unknown): Pending | undefined;
  publishOne(raw: unknown): Pending;
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
  const results: Pending[] = [];
  /** True when all have their answer. */
  const advance = (take: (raw: unknown) => Pending | undefined): boolean => {
    while (results.length < events.length) {
      const result = attempt(take, events[results.length]);
      if (result === undefined) return false;
      results.push(result);
    }
    return true;
  };
  const takeWhereRoom = (raw: unknown): Pending | undefined => queue.tryPublish(raw);
  if (advance(takeWhereRoom)) return answersOf(results);
  return new Promise((resolve) => {
    const signal = patience.signal();
    const end = (): void => {
      stopWaiting();
      timer.cancel();
      signal.removeEventListener('abort', end);
      resolve(answersOf(results));
    };
    // Whatever has found no room by now is refused for that, and counted.
    const giveUp = (): void => {
      advance((raw) => queue.publishOne(raw));
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

/** At once where none has to be waited for. */
const answersOf = (
  results: readonly Pending[],
): readonly (Accepted | Refused)[] | Promise<readonly (Accepted | Refused)[]> =>
  results.some((result) => result instanceof Promise)
    ? Promise.all(results.map((result) => Promise.resolve(result)))
    : // None of them is a promise, as was just looked at.
      (results as readonly (Accepted | Refused)[]);

function attempt(take: (raw: unknown) => Pending | undefined, raw: unknown): Pending | undefined {
  try {
    return take(raw);
  } catch (thrown) {
    return { accepted: false, error: asHostError(thrown).toWire() };
  }
}
