// The hostile conditions that a service is put under. None of them needs the plugin to be changed: it gets its own
// kinds of events, from a world that does not treat it well.
import { plural } from '../../../protocol/plural.ts';
import type { Judged } from './finding.ts';
import { broken, fine, lost, mishandled, skipped, tally } from './finding.ts';
import { type OwnPlugin, asError, wordsOfError } from './own-plugin.ts';
import { descendantsOf } from '../vital-signs.ts';
import { until } from '../until.ts';

export interface Condition {
  readonly id: string;
  readonly what: string;
  /** What is overridden of the plugin while it lasts. */
  readonly overrides?: (handleMs: number) => Readonly<Record<string, unknown>>;
  run(own: OwnPlugin): Promise<Judged>;
}

const calmEvents = 20;
const killedEvents = 64;
const kills = 3;
const cycles = 3;
const cycleEvents = 16;
const batch = 64;
const mostFlooded = 4096;
const floodMs = 10_000;
const settleMs = 60_000;
const squeeze = 10;
const shutdownMs = 16_000;
/** Most of what an event may hold by default. */
const largeBytes = 200_000;

/** Restarts at once and as often as it takes, so that what is seen is the plugin's own doing. */
const patient = { restart: { policy: 'on-failure', intensity: 1000, backoffMs: [0, 20] } } as const;

const deep = (depth: number): unknown => (depth === 0 ? 'bottom' : [deep(depth - 1)]);

const hostilePayloads: readonly unknown[] = [
  null,
  '',
  'text',
  0,
  -1,
  1e308,
  true,
  [],
  {},
  [[]],
  { __proto__: null, constructor: 'text' },
  { unexpected: true },
  deep(60),
  '\u0000\ud83d',
  { id: '../../etc/passwd' },
];

export const serviceConditions: readonly Condition[] = [
  { id: 'calm', what: 'one event after the other, as they should be', run: calm },
  { id: 'flood', what: 'four times as many events as its queue holds, as fast as they go in', run: flood },
  { id: 'malformed', what: 'payloads of every wrong shape', overrides: () => patient, run: malformed },
  { id: 'oversized', what: 'payloads as large as they may be, and larger', overrides: () => patient, run: oversized },
  {
    id: 'killed',
    what: 'its cell is killed with -9 while it works (in a process cell)',
    overrides: () => ({ ...patient, isolation: 'process' }),
    run: killed,
  },
  {
    id: 'squeezed',
    what: 'a tenth of the time it asks for',
    overrides: (handleMs) => ({ ...patient, timeouts: { handleMs: Math.max(1, Math.floor(handleMs / squeeze)) } }),
    run: squeezed,
  },
  { id: 'cycles', what: 'restarted, reloaded, stopped and started while events wait', run: throughCycles },
  { id: 'shutdown', what: 'the daemon is asked to end while its queue is full', run: shutdown },
];

async function calm(own: OwnPlugin): Promise<Judged> {
  const failures: string[] = [];
  for (let at = 0; at < calmEvents; at += 1) {
    const error = await own.deliver();
    if (error !== undefined) failures.push(wordsOfError(error));
  }
  if (failures.length > 0)
    return mishandled(
      `${String(failures.length)} of ${String(calmEvents)} events failed: ${tally(failures)}; if the payload made from the schema is no use, give one with --payload`,
    );
  const { reported } = await own.client.call('service.status', { plugin: own.declared.id, wait: true });
  if (reported?.error !== undefined) return mishandled(`its status() failed: ${reported.error}`);
  return fine(`${String(calmEvents)} events handled`);
}

async function flood(own: OwnPlugin): Promise<Judged> {
  const wanted = Math.min(mostFlooded, own.declared.capacity * 4);
  const endMs = performance.now() + floodMs;
  const refused: string[] = [];
  let accepted = 0;
  for (let sent = 0; sent < wanted && performance.now() < endMs; sent += batch) {
    const answer = await own.publish(Math.min(batch, wanted - sent));
    accepted += answer.accepted;
    refused.push(...answer.refused);
  }
  return outcome(own, accepted, refused.length === 0 ? '' : `; refused at the entrance: ${tally(refused)}`);
}

/** What became of the events that were accepted. */
async function outcome(own: OwnPlugin, accepted: number, more: string): Promise<Judged> {
  const status = await own.settled(settleMs);
  if (status === undefined)
    return broken(
      `${plural(accepted, 'event was', 'events were')} accepted, and after ${String(settleMs / 1000)} s some still wait${more}`,
    );
  const { handled, failed, deadLettered, discarded, retried } = status.counters;
  const again = retried === 0 ? '' : `, ${String(retried)} of them again in another life`;
  const told = `${String(handled)} of ${String(accepted)} handled${again}${more}`;
  if (handled >= accepted) return fine(told);
  return lost(
    `${told}; ${String(failed)} failed, ${String(deadLettered)} became dead letters, ${String(discarded)} discarded${status.lastError === null ? '' : `; last: ${status.lastError.code}: ${status.lastError.message}`}`,
  );
}

const cellEnded = new Set(['dispatch_timeout', 'cell_crashed']);

/** An error that says no is right; a cell that is lost over it is not. */
async function survives(own: OwnPlugin, payloads: readonly unknown[], refusesAll: boolean): Promise<Judged> {
  const lostCells: string[] = [];
  const said: string[] = [];
  for (const payload of payloads) {
    const error = await own.deliver(payload);
    said.push(error?.code ?? 'handled');
    if (error !== undefined && cellEnded.has(error.code)) lostCells.push(`${shown(payload)} → ${wordsOfError(error)}`);
    if (refusesAll && error?.code !== 'invalid_event') return broken(`the daemon let ${shown(payload)} in`);
  }
  const after = await own.deliver();
  if (after !== undefined && lostCells.length > 0)
    return broken(`after ${tally(lostCells)} it answers ${wordsOfError(after)}`);
  return lostCells.length > 0 ? mishandled(`its cell was lost over ${tally(lostCells)}`) : fine(`${tally(said)}`);
}

const shown = (payload: unknown): string => {
  const text = JSON.stringify(payload);
  return text.length > 60 ? `${text.slice(0, 40)}… (${String(text.length)} characters)` : text;
};

function malformed(own: OwnPlugin): Promise<Judged> {
  return survives(own, hostilePayloads, false);
}

async function oversized(own: OwnPlugin): Promise<Judged> {
  const large = await survives(
    own,
    ['x'.repeat(largeBytes), { text: 'x'.repeat(largeBytes) }, Array.from({ length: 10_000 }, (_, at) => at)],
    false,
  );
  if (large.verdict !== 'fine') return large;
  const tooLarge = await survives(own, ['x'.repeat(largeBytes * 4)], true);
  return tooLarge.verdict === 'fine' ? large : tooLarge;
}

async function killed(own: OwnPlugin): Promise<Judged> {
  let accepted = 0;
  let killedCells = 0;
  for (let round = 0; round < kills; round += 1) {
    accepted += (await own.publish(killedEvents)).accepted;
    const { cell, incarnation } = await own.status();
    const pid = cell?.pid;
    // Only what this daemon of the kit's has started.
    if (pid === undefined || !descendantsOf(own.daemon.pid).includes(pid))
      return skipped('its cell has no process here');
    process.kill(pid, 'SIGKILL');
    killedCells += 1;
    const back = await until(async () => (await own.status()).incarnation > incarnation, settleMs);
    if (!back) return broken('its service did not come back');
  }
  return outcome(own, accepted, `; its cell was killed ${plural(killedCells, 'time')}`);
}

async function squeezed(own: OwnPlugin): Promise<Judged> {
  const slow: string[] = [];
  for (let at = 0; at < calmEvents; at += 1) {
    const error = await own.deliver();
    if (error !== undefined) slow.push(wordsOfError(error));
  }
  if (slow.length > 0)
    return lost(
      `within ${String(own.declared.handleMs)} ms ${String(slow.length)} of ${String(calmEvents)} events were not handled: ${tally(slow)}`,
    );
  const { handleMs } = await own.status();
  return fine(
    `all handled within ${String(own.declared.handleMs)} ms; the slowest took ${String(Math.round(handleMs.max))} ms`,
  );
}

async function throughCycles(own: OwnPlugin): Promise<Judged> {
  const plugin = own.declared.id;
  const steps = [
    () => own.client.call('service.restart', { plugin }),
    () => own.client.call('plugin.reload', { plugin }),
    () => own.client.call('service.stop', { plugin }).then(() => own.client.call('service.start', { plugin })),
  ];
  const troubles: string[] = [];
  let accepted = 0;
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    for (const step of steps) {
      accepted += (await own.publish(cycleEvents)).accepted;
      try {
        await step();
      } catch (thrown) {
        troubles.push(wordsOfError(asError(thrown)));
      }
    }
  }
  const judged = await outcome(own, accepted, '');
  return judged.verdict === 'fine' && troubles.length > 0 ? mishandled(tally(troubles)) : judged;
}

async function shutdown(own: OwnPlugin): Promise<Judged> {
  const full = Math.min(own.declared.capacity, mostFlooded / 4);
  await own.publish(full);
  // First by itself, because a daemon that has ended can no longer be asked what was lost.
  const { counters } = await own.client.call('service.stop', { plugin: own.declared.id });
  await own.start();
  await own.publish(full);
  const beganMs = performance.now();
  own.daemon.signal('SIGTERM');
  if (!(await until(() => own.daemon.dead !== undefined, shutdownMs))) return broken('the daemon did not end');
  const tookMs = Math.round(performance.now() - beganMs);
  if (own.daemon.dead?.code !== 0) return mishandled(`the daemon had to end hard, after ${String(tookMs)} ms`);
  const told = `the daemon ended after ${String(tookMs)} ms with ${String(full)} events waiting`;
  return counters.discarded === 0
    ? fine(told)
    : lost(
        `${String(counters.discarded)} of ${String(full)} events were not handled within stopMs and are gone; ${told}`,
      );
}
