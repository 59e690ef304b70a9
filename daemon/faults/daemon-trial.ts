// The daemon itself is ended while a plugin of its loops: asked by SIGTERM, or killed with -9. Nothing of it may be
// left, and the next one must find its way.
import { readdirSync, rmSync } from 'node:fs';
import { HostError } from '../../protocol/errors.ts';
import type { Client } from '../../protocol/client/client.ts';
import { control } from './catalogue.ts';
import type { Fault, Place } from './fault.ts';
import { KitDaemon, makeFolder } from './kit-daemon.ts';
import { type Answer, type Observation, answerTo } from './observation.ts';
import { deadlines, pluginIdOf, writeFaulty } from './plugin-folder.ts';
import { until } from './until.ts';

const loops = 'export const deeds = { loop: () => { for (;;); } };\n';
const beginsMs = 5000;
/** A cell that is free sees at once that its host is gone; one that is busy is found by the next daemon. */
const freeCellMs = 3000;
const busyCellMs = 5000;

export async function daemonTrial(fault: Fault, place: Place): Promise<Observation> {
  const folder = makeFolder();
  try {
    const first = await KitDaemon.start({ folder });
    try {
      return await endIt(first, fault, place);
    } finally {
      await first.remove();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function endIt(first: KitDaemon, fault: Fault, place: Place): Promise<Observation> {
  const busy: Fault = { ...control, id: 'busy', source: loops };
  const idle: Fault = { ...control, id: 'idle' };
  const client = await first.connect();
  for (const plugin of [busy, idle]) await ready(client, plugin, place, first.folder);
  const pending = answerTo(
    () => commit(client, busy, place),
    place.subject === 'service' ? deadlines.handleMs : deadlines.toolMs,
  );
  if (!(await until(() => isBusy(client, place), beginsMs)))
    throw new HostError('internal', 'The kit could not make a plugin loop.');
  const cells = first.living().length;
  const asked = fault.id === 'daemon-sigterm';
  const beganMs = performance.now();
  first.signal(asked ? 'SIGTERM' : 'SIGKILL');
  const death = await first.ended;
  const endedMs = performance.now() - beganMs;
  const answer = await pending;
  const problems: string[] = [];
  if (asked && death.code !== 0)
    problems.push(`the daemon ended with ${death.signal ?? `exit code ${String(death.code)}`}`);
  if (asked) problems.push(...remains(first));
  const goneByThemselves = await until(() => first.living().length <= (asked || cells === 0 ? 0 : 1), freeCellMs);
  if (!goneByThemselves)
    problems.push(`${String(first.living().length)} of ${String(cells)} cells outlived their daemon`);
  const againMs = await startAgain(first, idle, place, problems);
  const left = first.living().length;
  return {
    answer: told(answer, asked),
    recovery: { ms: null, by: 'itself' },
    crashedLater: false,
    neighbour: null,
    problems,
    left: { threads: 0, descriptors: 0, sockets: 0, processes: left, rssMb: 0 },
    unkillable: 0,
    death: null,
    cause: `${asked ? 'ended with exit code 0' : 'killed'} in ${String(Math.round(endedMs))} ms; the next daemon served the same plugin after ${String(Math.round(againMs))} ms`,
    peakMb: first.peakMb,
  };
}

/** A daemon that was killed can answer nobody: its callers see the connection end, which is what they should see. */
const told = (answer: Answer, asked: boolean): Answer =>
  asked || answer.kind !== 'none' ? answer : { ...answer, kind: 'crashed' };

function remains({ folder }: KitDaemon): string[] {
  return readdirSync(folder).some((name) => name === 's' || name.endsWith('.lock'))
    ? ['its socket or its lock is still there']
    : [];
}

async function startAgain(first: KitDaemon, plugin: Fault, place: Place, problems: string[]): Promise<number> {
  const beganMs = performance.now();
  const next = await KitDaemon.start({ folder: first.folder });
  try {
    const client = await next.connect();
    await ready(client, plugin, place, first.folder);
    const tookMs = performance.now() - beganMs;
    if (!(await until(() => first.living().length === 0, busyCellMs)))
      problems.push('the next daemon did not end what the first one left');
    return tookMs;
  } finally {
    if (!(await next.stop())) problems.push('the next daemon did not end when it was asked to');
  }
}

async function ready(client: Client, plugin: Fault, place: Place, folder: string): Promise<void> {
  await client.call('plugin.load', { path: writeFaulty(folder, plugin, place), remember: false });
  if (place.subject === 'service') await client.call('service.start', { plugin: pluginIdOf(plugin) });
  await work(client, plugin, place);
}

async function work(client: Client, plugin: Fault, place: Place): Promise<void> {
  if (place.subject === 'tool')
    await client.call('tool.call', { plugin: pluginIdOf(plugin), tool: 'work', input: { n: 1 } });
  else
    await client.call('ingress.deliver', {
      plugin: pluginIdOf(plugin),
      event: { ingress: 'kit', kind: 'work', payload: { n: 1 } },
    });
}

function commit(client: Client, plugin: Fault, place: Place): Promise<unknown> {
  if (place.subject === 'tool')
    return client.call('tool.call', { plugin: pluginIdOf(plugin), tool: 'fault', input: { deed: 'loop' } });
  return client.call('ingress.deliver', {
    plugin: pluginIdOf(plugin),
    event: { ingress: 'kit', kind: 'fault', payload: { deed: 'loop' } },
  });
}

async function isBusy(client: Client, place: Place): Promise<boolean> {
  if (place.subject === 'tool') return (await client.call('daemon.status', {})).counts.toolCallsPending > 0;
  return (await client.call('service.status', { plugin: 'fault.busy' })).inFlight !== null;
}
