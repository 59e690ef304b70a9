// What the tests of dead letters on disk share: letters as a service makes them, and a store in a folder of its own.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { DeadLetterWithEvent } from '../../protocol/dead-letter.ts';
import type { Clock } from '../../daemon/time/clock.ts';
import { realClock } from '../../daemon/time/real-clock.ts';
import { type DeadLetterLimits, DeadLetters } from '../../daemon/services/dead-letters.ts';

export const wide: DeadLetterLimits = { deadLetters: 1000, deadLetterBytes: 1024 * 1024 };

export function letter(n: number, text = ''): DeadLetterWithEvent {
  const correlationId = `c-${String(n)}`;
  const at = new Date(Date.UTC(2030, 0, 1) + n).toISOString();
  const event = { ingress: 'work', kind: 'do', source: 'client', payload: { n, text }, createdAt: at, attempt: 1, correlationId };
  const error = { code: 'cell_crashed', message: `crash ${String(n)}`, stack: 'Error: crash\n    at index.js:1:1' } as const;
  return { id: `letter-${String(n)}`, correlationId, ingress: 'work', kind: 'do', source: 'client', createdAt: at, deadAt: at, attempts: [{ attempt: 1, at, incarnation: 1, error }], replayOf: null, bytes: 100 + text.length, event };
}

export interface OpenedLetters {
  readonly letters: DeadLetters;
  readonly path: string;
  readonly troubles: string[];
}

export async function openLetters(t: TestContext, folder: string, options: { limits?: DeadLetterLimits; clock?: Clock; pluginId?: string } = {}): Promise<OpenedLetters> {
  const { limits = wide, clock = realClock, pluginId = 'test.lab' } = options;
  const troubles: string[] = [];
  const letters = await DeadLetters.open({ pluginId, folder, limits, clock, onTrouble: (message, error) => void troubles.push(error === undefined ? message : `${message}: ${error.message}`) });
  t.after(() => letters.close(2000));
  return { letters, path: join(folder, `${pluginId}.ndjson`), troubles };
}

/** What stands in the file; throws where a line of it is not whole. */
export async function fileLetters(path: string): Promise<{ head: { letters: number }; letters: DeadLetterWithEvent[] }> {
  const text = await readFile(path, 'utf8');
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const [head, ...letters] = text.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown);
  return { head: head as { letters: number }, letters: letters as DeadLetterWithEvent[] };
}

export const namesIn = async (folder: string): Promise<string[]> => (await readdir(folder)).sort();
