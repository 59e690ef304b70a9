// A daemon that is killed again and again under load: what it had accepted must not be lost, and what it does twice it
// must call another attempt.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, connect } from '../../protocol/client/client.ts';
import { daemonArguments, socketIn } from '../daemon-arguments.ts';
import { failpointsVariable, testVariable } from '../../daemon/files/failpoints.ts';
import { type Line, linesOf, writeKillPlugin } from './kill-plugins.ts';
import { SmallDisk } from './small-disk.ts';

export interface KillOptions {
  readonly kills: number;
  /** Of threads, and as many of processes. */
  readonly services: number;
  readonly seed: number;
  /**
   * The store's file system is full again and again: a small one that is filled, or, where none can be mounted, by the
   * failpoint of the daemon.
   */
  readonly full?: 'file system' | 'failpoint';
  /** Accepted by a service between two kills: what waits then is worked off by what is left of the machine. */
  readonly mostAccepted?: number;
  progress(text: string): void;
}

export interface KillReport {
  readonly kills: number;
  readonly acknowledged: number;
  readonly handled: number;
  readonly repeated: number;
  readonly deadLetters: number;
  readonly recovered: number;
  /** Events that were refused because there was no room to store them. */
  readonly refused: number;
  readonly faults: readonly string[];
}

const batch = 40;
const readyMs = 60_000;
const workedOffMs = 300_000;
const shownFaults = 20;

/** The same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

class Subject {
  readonly ids: readonly string[];
  /** By the service: the numbers of events that were answered as accepted. */
  readonly acknowledged = new Map<string, Set<number>>();
  readonly folder = mkdtempSync(join(tmpdir(), 'nagaya-kills-'));
  /** Events that were refused for want of room. */
  refused = 0;
  /** Daemons that nobody had killed. */
  readonly ended: string[] = [];
  readonly #next = new Map<string, number>();
  #process: ReturnType<typeof spawn> | undefined;

  readonly #random: () => number;
  readonly #full: KillOptions['full'];
  readonly #mostAccepted: number;
  /** Refused before this daemon was started. */
  #refusedBefore = 0;
  readonly smallDisk: SmallDisk | undefined;

  constructor({ services, full, mostAccepted = Infinity }: KillOptions, random: () => number) {
    this.#random = random;
    this.#full = full;
    this.#mostAccepted = mostAccepted;
    this.smallDisk = full === 'file system' ? new SmallDisk(join(this.folder, 'state')) : undefined;
    const isolations = ['thread', 'process'] as const;
    this.ids = isolations.flatMap((isolation) =>
      Array.from({ length: services }, (_, index) => {
        const id = `kill.${isolation}-${String(index)}`;
        writeKillPlugin(join(this.folder, 'plugins'), id, isolation);
        this.acknowledged.set(id, new Set());
        return id;
      }),
    );
    writeFileSync(join(this.folder, 'nagaya.json'), JSON.stringify({ stateFolder: join(this.folder, 'state') }));
  }

  async start(): Promise<Client> {
    const socket = socketIn(this.folder);
    this.#refusedBefore = this.refused;
    this.#process = spawn(process.execPath, daemonArguments(this.folder), {
      stdio: 'ignore',
      env: { ...process.env, ...this.#failpoints() },
    });
    for (const began = performance.now(); ;) {
      try {
        return await connect({ socket });
      } catch (error) {
        if (performance.now() - began > readyMs) throw error;
        await sleep(10);
      }
    }
  }

  /** Some commits work, and then some find no room. */
  #failpoints(): Record<string, string> {
    if (this.#full !== 'failpoint') return {};
    const works = Math.floor(this.#random() * 60);
    const fails = 1 + Math.floor(this.#random() * 20);
    return { [failpointsVariable]: `store-full@${String(works)}*${String(fails)}`, [testVariable]: 'yes' };
  }

  /** Resolves when something more was accepted, or that takes long. */
  async loaded(): Promise<void> {
    const before = this.#acknowledgedCount();
    for (let looks = 0; looks < 200 && this.#acknowledgedCount() === before; looks += 1) await sleep(20);
  }

  /** Resolves when something was refused that was to be, or that takes long. */
  async disturbed(): Promise<void> {
    const before = this.refused;
    for (let looks = 0; this.#full === 'failpoint' && looks < 500 && this.refused === before; looks += 1)
      await sleep(20);
  }

  #acknowledgedCount(): number {
    return [...this.acknowledged.values()].reduce((sum, { size }) => sum + size, 0);
  }

  async kill(): Promise<void> {
    const killed = this.#process;
    if (killed === undefined) return;
    this.#process = undefined;
    if (killed.exitCode !== null || killed.signalCode !== null) {
      this.ended.push(`a daemon ended by itself with ${String(killed.exitCode ?? killed.signalCode)}`);
      return;
    }
    const gone = new Promise((resolve) => killed.once('exit', resolve));
    killed.kill('SIGKILL');
    await gone;
  }

  /** Publishes to each service without a pause until the connection ends. */
  async publish(client: Client, more: () => boolean): Promise<void> {
    await Promise.all(this.ids.map((id) => this.#publishTo(client, id, more)));
  }

  async #publishTo(client: Client, plugin: string, more: () => boolean): Promise<void> {
    const acknowledged = this.acknowledged.get(plugin);
    const before = acknowledged?.size ?? 0;
    const isEnough = (): boolean =>
      (acknowledged?.size ?? 0) - before >= this.#mostAccepted &&
      (this.#full !== 'failpoint' || this.refused > this.#refusedBefore);
    while (more() && !isEnough()) {
      const from = this.#next.get(plugin) ?? 0;
      this.#next.set(plugin, from + batch);
      const events = Array.from({ length: batch }, (_, index) => ({
        ingress: 'in',
        kind: 'do',
        payload: { n: from + index },
      }));
      try {
        const answer = await client.call('ingress.publish', { plugin, events, wait: true, timeoutMs: 20_000 });
        if (!('results' in answer)) return;
        for (const [index, result] of answer.results.entries()) {
          if (result.accepted) acknowledged?.add(from + index);
          else if (result.error.code === 'storage_full') this.refused += 1;
        }
      } catch {
        // The daemon was killed: nobody knows of this batch.
        return;
      }
    }
  }

  remove(): void {
    this.smallDisk?.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Until nothing waits in any of the services. */
async function workOff(client: Client, ids: readonly string[]): Promise<boolean> {
  for (const began = performance.now(); performance.now() - began < workedOffMs; await sleep(100)) {
    const all = await Promise.all(ids.map((plugin) => client.call('service.status', { plugin })));
    if (all.every(({ queue, inFlight }) => queue.depth === 0 && inFlight === null && queue.onDisk === 0)) return true;
  }
  return false;
}

function faultsOf(id: string, lines: readonly Line[], acknowledged: ReadonlySet<number>, dead: number): string[] {
  const faults: string[] = [];
  const begins = new Map<number, number>();
  const handled = new Set<number>();
  for (const { what, n, attempt } of lines) {
    if (what === 'h') handled.add(n);
    else if (begins.has(n) && attempt === 1) faults.push(`${id}: event ${String(n)} came twice as attempt 1`);
    if (what === 'b') begins.set(n, (begins.get(n) ?? 0) + 1);
  }
  const missing = [...acknowledged].filter((n) => !handled.has(n));
  if (missing.length > dead)
    faults.push(
      `${id}: ${String(missing.length)} acknowledged events were not handled (${missing.slice(0, 5).join()})`,
    );
  let last = -1;
  for (const { what, n } of lines) {
    if (what !== 'b' || begins.get(n) !== 1) continue;
    if (n < last) faults.push(`${id}: event ${String(n)} began after ${String(last)}`);
    last = n;
  }
  return faults;
}

export async function killSoak(options: KillOptions): Promise<KillReport> {
  const { kills, seed, progress } = options;
  const random = randomOf(seed);
  const subject = new Subject(options, random);
  const faults: string[] = [];
  let deadLetters = 0;
  let recovered = 0;
  let handled = 0;
  let repeated = 0;
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      const client = await subject.start();
      let more = true;
      const publishing = subject.publish(client, () => more);
      await subject.loaded();
      await subject.disturbed();
      await sleep(random() * 700);
      await subject.smallDisk?.disturb(random);
      await subject.kill();
      more = false;
      await publishing;
      subject.smallDisk?.release();
      void client.close();
      if ((kill + 1) % 20 === 0) progress(`${String(kill + 1)} kills`);
    }
    faults.push(...subject.ended);
    const client = await subject.start();
    if (!(await workOff(client, subject.ids))) faults.push('the queues are not worked off');
    for (const plugin of subject.ids) {
      const { counters } = await client.call('service.status', { plugin });
      const { state } = await client.call('service.state', { plugin });
      const letters = await client.call('deadLetter.list', { plugin });
      const lines = linesOf(join(subject.folder, 'plugins'), plugin);
      deadLetters += letters.total;
      recovered += counters.recovered;
      handled += counters.handled;
      repeated += lines.filter(({ what, attempt }) => what === 'b' && attempt > 1).length;
      if ((state['count'] ?? 0) !== counters.handled)
        faults.push(`${plugin}: ctx.state counts ${String(state['count'])} of ${String(counters.handled)} handled`);
      const distinct = new Set(lines.filter(({ what }) => what === 'h').map(({ n }) => n)).size;
      // An event that was handled and is a dead letter all the same was handled without a commit.
      if (distinct < counters.handled || distinct > counters.handled + letters.total)
        faults.push(`${plugin}: ${String(distinct)} events were handled, ${String(counters.handled)} were committed`);
      const { enqueued, failed, deadLettered, discarded } = counters;
      if (enqueued !== counters.handled + failed + deadLettered + discarded)
        faults.push(`${plugin}: the books do not balance: ${JSON.stringify(counters)}`);
      faults.push(...faultsOf(plugin, lines, subject.acknowledged.get(plugin) ?? new Set(), letters.total));
    }
    void client.close();
  } finally {
    await subject.kill();
    if (faults.length === 0) subject.remove();
    else subject.smallDisk?.end();
    if (faults.length > 0) progress(`what was left is in ${subject.folder}`);
  }
  const acknowledged = [...subject.acknowledged.values()].reduce((sum, { size }) => sum + size, 0);
  const { refused } = subject;
  return {
    kills,
    acknowledged,
    handled,
    repeated,
    deadLetters,
    recovered,
    refused,
    faults: faults.slice(0, shownFaults),
  };
}
