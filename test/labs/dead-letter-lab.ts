// What the tests of dead letters on disk share: letters as a service makes them, and a store in a folder of its own.
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { DeadLetterWithEvent } from '../../protocol/dead-letter.ts';
import type { StoreLimits } from '../../daemon/store/store-calls.ts';
import type { Store } from '../../daemon/store/store.ts';
import type { Clock } from '../../daemon/time/clock.ts';
import { realClock } from '../../daemon/time/real-clock.ts';
import { type DeadLetterLimits, DeadLetters } from '../../daemon/services/dead-letters.ts';
import { storeLab } from './store-lab.ts';

export const wide: DeadLetterLimits = { deadLetters: 1000, deadLetterBytes: 1024 * 1024 };

export function letter(n: number, text = ''): DeadLetterWithEvent {
  const correlationId = `c-${String(n)}`;
  const at = new Date(Date.UTC(2030, 0, 1) + n).toISOString();
  const event = {
    ingress: 'work',
    kind: 'do',
    source: 'client',
    payload: { n, text },
    createdAt: at,
    attempt: 1,
    correlationId,
  };
  const error = {
    code: 'cell_crashed',
    message: `crash ${String(n)}`,
    stack: 'Error: crash\n    at index.js:1:1',
  } as const;
  return {
    id: `letter-${String(n)}`,
    reason: 'attempts',
    correlationId,
    ingress: 'work',
    kind: 'do',
    source: 'client',
    createdAt: at,
    deadAt: at,
    attempts: [{ attempt: 1, at, incarnation: 1, error }],
    replayOf: null,
    bytes: 100 + text.length,
    event,
  };
}

export interface OpenedLetters {
  readonly letters: DeadLetters;
  readonly store: Store;
  readonly troubles: string[];
  /** As the end of a daemon does: true when all was written. */
  close(): Promise<boolean>;
}

export interface LetterOptions {
  readonly limits?: DeadLetterLimits;
  readonly clock?: Clock;
  readonly pluginId?: string;
  readonly storeLimits?: Partial<StoreLimits>;
}

/** Those in the store of this state folder. */
export async function openLetters(
  t: TestContext,
  stateFolder: string,
  { limits = wide, clock = realClock, pluginId = 'test.lab', storeLimits = {} }: LetterOptions = {},
): Promise<OpenedLetters> {
  const troubles: string[] = [];
  const { store } = await storeLab(t, { stateFolder, limits: storeLimits });
  const letters = await DeadLetters.open({
    pluginId,
    store,
    oldFile: oldFileOf(stateFolder, pluginId),
    limits,
    clock,
    onTrouble: (message, error) => void troubles.push(error === undefined ? message : `${message}: ${error.message}`),
  });
  const close = async (): Promise<boolean> => {
    const written = await letters.close(30_000);
    return (await store.close(30_000)) && written;
  };
  t.after(async () => void (await letters.close(0)));
  return { letters, store, troubles, close };
}

/** Where an earlier version kept them. */
export const oldFileOf = (stateFolder: string, pluginId = 'test.lab'): string =>
  join(stateFolder, 'dead-letters', `${pluginId}.ndjson`);

/** A file as an earlier version wrote it. */
export const oldFile = (letters: readonly DeadLetterWithEvent[], head: object = {}): string =>
  [{ format: 'nagaya.dead-letters', version: 1, plugin: 'test.lab', letters: letters.length, ...head }, ...letters]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');
