// A service of which one instance lives in a cluster, and which writes down what it does: one line for each event that
// it begins and ends, in a file that all members of a test share.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Member } from './nats-lab.ts';
import { writePlugin } from './written-plugin.ts';
import { untilAnswer } from './until.ts';

export interface PlacedPluginOptions {
  readonly id: string;
  readonly placement?: 'one' | 'each' | 'shared';
  readonly queue?: object;
  readonly retry?: object;
  readonly handleMs?: number;
}

const code = (journal: string): string => `import { appendFileSync, existsSync } from 'node:fs';
const note = (line) => appendFileSync(${JSON.stringify(journal)}, JSON.stringify({ pid: process.pid, at: Date.now(), ...line }) + '\\n');
let fails = new Map();
export const service = {
  start() { note({ what: 'started' }); },
  async handleIngress({ payload, eventId, attempt }, ctx) {
    const { n = null, waitMs = 0, failures = 0, gate } = payload ?? {};
    note({ what: 'began', n, attempt, eventId });
    while (gate !== undefined && !existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 20));
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const failed = fails.get(eventId) ?? 0;
    if (failed < failures) { fails.set(eventId, failed + 1); throw new Error('not yet'); }
    note({ what: 'ended', n, attempt, eventId });
    return { n, pid: process.pid };
  },
};
`;

/** Answers the folder of the plugin. */
export function writePlacedPlugin(
  folder: string,
  { id, placement = 'one', queue, retry, handleMs = 60_000 }: PlacedPluginOptions,
): string {
  const place = join(folder, id);
  writePlugin(place, {
    manifest: {
      id,
      service: {
        ingresses: [{ name: 'numbers', kinds: ['number'] }],
        placement,
        timeouts: { handleMs },
        ...(queue === undefined ? {} : { queue }),
        ...(retry === undefined ? {} : { retry }),
      },
    },
    files: { 'index.js': code(journalOf(folder)) },
  });
  return place;
}

export const journalOf = (folder: string): string => join(folder, 'journal.ndjson');

export interface JournalLine {
  readonly what: 'started' | 'began' | 'ended';
  readonly pid: number;
  readonly at: number;
  readonly n: number | null;
  readonly eventId?: string;
  readonly attempt?: number;
}

export function journalIn(folder: string): JournalLine[] {
  try {
    return readFileSync(journalOf(folder), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as JournalLine);
  } catch {
    return [];
  }
}

export const number = (n: number, more: object = {}): object => ({
  ingress: 'numbers',
  kind: 'number',
  payload: { n, ...more },
});

/** The id of the service in tests that have one. */
export const plugin = 'test.one';

export const statusOf = ({ client }: Member) => client.call('service.status', { plugin });

/** The member whose instance runs. */
export async function holderOf(members: readonly Member[]): Promise<Member> {
  const found = await untilAnswer(
    'an instance that runs',
    async () => {
      const all = await Promise.all(members.map(async (member) => ({ member, status: await statusOf(member) })));
      return all.filter(({ status }) => status.lifecycle === 'running' && status.placement?.waits === null);
    },
    (running) => running.length === 1,
  );
  const [only] = found;
  assert.ok(only !== undefined);
  return only.member;
}
