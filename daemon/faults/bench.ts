// Where faults are tried: a real daemon with a neighbour in it, looked at from outside before and after each trial. A
// daemon that died, or that a fault has left something in, is replaced, so that no trial pays for another.
import { type Client } from '../../protocol/client/client.ts';
import { HostError } from '../../protocol/errors.ts';
import { control } from './catalogue.ts';
import { type Fault, type Place } from './fault.ts';
import { KitDaemon } from './kit-daemon.ts';
import { NeighbourWatch } from './neighbour-watch.ts';
import { type Left, type Observation, type Seen, wordsOf } from './observation.ts';
import { neighbourId, pluginIdOf, writeFaulty, writeNeighbour } from './plugin-folder.ts';
import { serverTrial } from './server-trial.ts';
import { serviceTrial } from './service-trial.ts';
import { toolTrial } from './tool-trial.ts';
import { until } from './until.ts';
import { type VitalSigns, vitalSignsOf } from './vital-signs.ts';

/** A thread that was ended gives back its memory when the system gets to it. */
const settleMs = 4000;
const lookEveryMs = 25;
const deathMs = 500;
/** glibc gives a thread one of up to eight arenas for each processor, and each of them may keep what it once had. */
const repetitions = 8;
/** Of the daemon's own resident memory; allocators keep some of what they were given. */
export const rssDriftMb = 96;

export class Bench {
  readonly #place: Place;
  readonly #guardian: boolean;
  #daemon: KitDaemon | undefined;
  #client: Client | undefined;
  #neighbourClient: Client | undefined;
  #daemons = 0;

  constructor(place: Place, guardian: boolean) {
    this.#place = place;
    this.#guardian = guardian;
  }

  /** Daemons that were started, the first one included. */
  get daemons(): number {
    return this.#daemons;
  }

  async observe(fault: Fault): Promise<Observation> {
    let seen = await this.#once(fault);
    // An allocator keeps what it was given for the next time; a leak grows each time.
    for (let again = 0; again < repetitions && keepsMemory(seen); again += 1) {
      const { left } = await this.#once(fault);
      if (seen.left !== null && left !== null)
        seen = { ...seen, left: { ...seen.left, rssMb: Math.min(seen.left.rssMb, left.rssMb) } };
    }
    if (isTainted(seen)) await this.#replace();
    return seen;
  }

  async #once(fault: Fault): Promise<Observation> {
    const { daemon, client, neighbourClient } = await this.#ready();
    const before = vitalSignsOf(daemon.daemonPid);
    const lived = new Set(daemon.living().map(({ pid }) => pid));
    const folder = writeFaulty(daemon.folder, fault, this.#place);
    const watch = new NeighbourWatch(neighbourClient);
    const seen = await this.#trial(client, fault, folder, () => watch.enough());
    const unkillable = await unkillableIn(client);
    const problems = [...seen.problems, ...(await unloaded(client, fault))];
    const neighbour = watch.end();
    const left = await this.#left(daemon, before, lived);
    await until(() => daemon.dead !== undefined, unkillable === undefined ? deathMs : 0);
    return {
      ...seen,
      problems,
      neighbour,
      left,
      unkillable: unkillable ?? 0,
      death: daemon.dead ?? null,
      peakMb: daemon.peakMb,
    };
  }

  async close(): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    await this.#neighbourClient?.close();
    await this.#client?.close();
    await daemon?.stop();
  }

  #trial(client: Client, fault: Fault, folder: string, recovered: () => void): Promise<Seen> {
    const trials = { service: serviceTrial, tool: toolTrial, server: serverTrial };
    return trials[this.#place.subject](client, fault, folder, recovered);
  }

  async #ready(): Promise<{ daemon: KitDaemon; client: Client; neighbourClient: Client }> {
    if (this.#daemon !== undefined && this.#client !== undefined && this.#neighbourClient !== undefined) {
      return { daemon: this.#daemon, client: this.#client, neighbourClient: this.#neighbourClient };
    }
    const daemon = await KitDaemon.start({ guardian: this.#guardian });
    this.#daemons += 1;
    const client = await daemon.connect();
    const neighbourClient = await daemon.connect();
    await client.call('plugin.load', { path: writeNeighbour(daemon.folder), remember: false });
    await client.call('service.start', { plugin: neighbourId });
    // What a daemon makes once, at the first use, is not to look like something left behind.
    const warm: Fault = {
      ...control,
      id: 'warm-up',
      source: this.#place.subject === 'server' ? warmUpOfServer : warmUp,
    };
    await this.#trial(client, warm, writeFaulty(daemon.folder, warm, this.#place), () => undefined);
    await unloaded(client, warm);
    // The dead letter of the warm-up opens the store, whose files count from then on.
    await until(async () => (await client.call('store.status', {})).state !== 'opening', storeOpenMs);
    this.#daemon = daemon;
    this.#client = client;
    this.#neighbourClient = neighbourClient;
    return { daemon, client, neighbourClient };
  }

  async #replace(): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    await daemon?.remove();
  }

  /** What is there that was not there before; null where nothing can be known. */
  async #left(daemon: KitDaemon, before: VitalSigns | undefined, lived: ReadonlySet<number>): Promise<Left | null> {
    let left: Left | null = null;
    await until(
      () => {
        const now = vitalSignsOf(daemon.daemonPid);
        const processes = daemon.living().filter(({ pid }) => !lived.has(pid)).length;
        left = before === undefined || now === undefined ? null : { ...difference(now, before), processes };
        return daemon.dead !== undefined || left === null || leavesNothing(left);
      },
      settleMs,
      lookEveryMs,
    );
    return left;
  }
}

const keepsMemory = ({ death, left, answer }: Observation): boolean =>
  death === null &&
  answer.kind !== 'none' &&
  left !== null &&
  left.rssMb > rssDriftMb &&
  leavesNothing({ ...left, rssMb: 0 });

/** Overruns its deadline, so that the whole of the kill ladder has been walked once. */
const storeOpenMs = 10_000;

/** One that loops is found out only after seconds. */
const warmUpOfServer = "export const deeds = { 'warm-up': () => process.exit(1) };\n";
const warmUp = "export const deeds = { 'warm-up': () => { for (;;); } };\n";

const difference = (now: VitalSigns, before: VitalSigns): Omit<Left, 'processes'> => ({
  threads: Math.max(0, now.threads - before.threads),
  descriptors: Math.max(0, now.descriptors - before.descriptors),
  sockets: Math.max(0, now.sockets - before.sockets),
  rssMb: Math.round(now.rssMb - before.rssMb),
});

export const leavesNothing = ({ threads, descriptors, sockets, processes, rssMb }: Left): boolean =>
  threads === 0 && descriptors === 0 && sockets === 0 && processes === 0 && rssMb <= rssDriftMb;

const isTainted = ({ death, left, unkillable, neighbour, answer }: Observation): boolean =>
  death !== null ||
  unkillable > 0 ||
  answer.kind === 'none' ||
  neighbour?.wrong !== null ||
  (left !== null && !leavesNothing(left));

/** Undefined when the daemon no longer answers. */
async function unkillableIn(client: Client): Promise<number | undefined> {
  try {
    return (await client.call('daemon.status', {}, { timeoutMs: 5000 })).counts.unkillable;
  } catch (thrown) {
    if (thrown instanceof HostError && thrown.code === 'connection_closed') return undefined;
    throw thrown;
  }
}

async function unloaded(client: Client, fault: Fault): Promise<string[]> {
  try {
    await client.call('plugin.unload', { plugin: pluginIdOf(fault) }, { timeoutMs: 15_000 });
    return [];
  } catch (thrown) {
    if (thrown instanceof HostError && thrown.code === 'connection_closed') return [];
    return [`the plugin could not be unloaded: ${wordsOf(thrown)}`];
  }
}
