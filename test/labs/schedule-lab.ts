// Services with a schedule that is due each second, and which runs their instances have handled.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Member } from './nats-lab.ts';
import { plugin } from './placed-plugin.ts';
import { until } from './until.ts';
import { writePlugin } from './written-plugin.ts';

const code = (journal: string): string => `import { appendFileSync } from 'node:fs';
export const service = {
  start() {},
  handleIngress({ payload: { scheduledAt } }) { appendFileSync(${JSON.stringify(journal)}, process.pid + ' ' + scheduledAt + '\\n'); },
};`;

/** Due each second; what was missed is made up for. */
export function writeScheduled(folder: string, id: string, placement: 'one' | 'each' | 'shared'): string {
  const place = join(folder, id);
  const source = { name: 'tick', type: 'schedule', cron: '* * * * * *', missed: 'all', ingress: 'times', kind: 'due' };
  const service = { ingresses: [{ name: 'times', kinds: ['due'] }], placement, sources: [source] };
  writePlugin(place, { manifest: { id, service }, files: { 'index.js': code(join(folder, `${id}.runs`)) } });
  return place;
}

/** By process, when each run that it handled was due. */
export function runsIn(folder: string, id: string): readonly (readonly [pid: string, at: string])[] {
  try {
    const lines = readFileSync(join(folder, `${id}.runs`), 'utf8')
      .trimEnd()
      .split('\n');
    return lines.map((line) => line.split(' ') as [string, string]);
  } catch {
    return [];
  }
}

/** When each run that was handled was due, earliest first: none twice, and they are a second apart. */
function assertEachOnce(times: readonly string[]): void {
  assert.equal(new Set(times).size, times.length, `made twice: ${times.join(' ')}`);
  assert.ok(isWithoutGap(times), `left out: ${times.join(' ')}`);
}

const isWithoutGap = (times: readonly string[]): boolean => {
  const seconds = [...new Set(times)].map((at) => Date.parse(at) / 1000).sort((one, other) => one - other);
  return seconds.every((second, at) => second === (seconds[0] ?? 0) + at);
};

/** Of a source, as this member counts. */
export async function countersOf({ client }: Member, id: string) {
  const { sources } = await client.call('source.list', { plugin: id });
  const [source] = sources;
  assert.ok(source !== undefined);
  return source.counters;
}

/** The member makes runs, and all that were made so far are handled. */
export async function makesRuns(member: Member, folder: string, more = 1): Promise<void> {
  const { received } = await countersOf(member, plugin);
  await until('a member makes runs', async () => (await countersOf(member, plugin)).accepted >= received + more);
  const count = runsIn(folder, plugin).length;
  await until('runs are handled', () => {
    const times = runsIn(folder, plugin).map(([, at]) => at);
    return times.length > count && isWithoutGap(times);
  });
  assertEachOnce(runsIn(folder, plugin).map(([, at]) => at));
}
