// Hosted MCP servers that are killed with SIGKILL at random while calls are with them: each call is answered, with its
// result or with an error of the registry, within its deadline; each server comes back; nothing is left behind.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Client } from '../../protocol/client/client.ts';
import { HostError } from '../../protocol/errors.ts';
import { KitDaemon } from '../../daemon/faults/kit-daemon.ts';
import { until } from '../../daemon/faults/until.ts';
import { type VitalSigns, vitalSignsOf } from '../../daemon/faults/vital-signs.ts';
import { Random } from '../soak/random.ts';

const program = fileURLToPath(new URL('./slow-server.mjs', import.meta.url));
const callMs = 5000;
/** How much later than its deadline an answer may come on a machine that other work keeps busy. */
const graceMs = 5000;
const settleMs = 30_000;
const callersOfEach = 3;

export interface ServerKillsRun {
  readonly servers: number;
  readonly kills: number;
  readonly seed: number;
  progress(text: string): void;
}

export interface ServerKillsReport {
  readonly servers: number;
  readonly kills: number;
  readonly calls: number;
  /** By the code of the error, and `answered`. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly faults: readonly string[];
}

export async function serverKills(run: ServerKillsRun): Promise<ServerKillsReport> {
  const daemon = await KitDaemon.start();
  try {
    return await new Kills(daemon, await daemon.connect(), run).go();
  } finally {
    await daemon.stop();
    await daemon.remove({ withFolder: true });
  }
}

class Kills {
  readonly #daemon: KitDaemon;
  readonly #client: Client;
  readonly #run: ServerKillsRun;
  readonly #random: Random;
  readonly #ids: string[];
  readonly #outcomes = new Map<string, number>();
  readonly #faults: string[] = [];
  #calls = 0;
  #slowestMs = 0;
  #over = false;

  constructor(daemon: KitDaemon, client: Client, run: ServerKillsRun) {
    this.#daemon = daemon;
    this.#client = client;
    this.#run = run;
    this.#random = new Random(run.seed);
    this.#ids = Array.from({ length: run.servers }, (_, at) => `server-${String(at)}`);
  }

  async go(): Promise<ServerKillsReport> {
    for (const id of this.#ids) {
      await this.#client.call('plugin.load', { path: writeServer(this.#daemon.folder, id), remember: false });
      await this.#client.call('service.start', { plugin: id });
    }
    const before = vitalSignsOf(this.#daemon.daemonPid);
    const callers = this.#ids.flatMap((id) => Array.from({ length: callersOfEach }, () => this.#keepCalling(id)));
    for (let killed = 0; killed < this.#run.kills && this.#daemon.dead === undefined;) {
      await sleep(20 + this.#random.below(100));
      if (await this.#kill(this.#ids[this.#random.below(this.#ids.length)] ?? '')) killed += 1;
      if (killed % 10 === 0) this.#run.progress(`${String(killed)} kills`);
    }
    this.#over = true;
    await Promise.all(callers);
    await this.#allBack(before);
    const { servers, kills } = this.#run;
    return {
      servers,
      kills,
      calls: this.#calls,
      outcomes: Object.fromEntries(this.#outcomes),
      slowestMs: Math.round(this.#slowestMs),
      faults: [...new Set(this.#faults)],
    };
  }

  async #keepCalling(plugin: string): Promise<void> {
    while (!this.#over) {
      const beganMs = performance.now();
      const outcome = await this.#call(plugin);
      this.#calls += 1;
      this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
      const tookMs = performance.now() - beganMs;
      this.#slowestMs = Math.max(this.#slowestMs, tookMs);
      if (tookMs > callMs + graceMs) this.#faults.push(`a call of ${plugin} took ${String(Math.round(tookMs))} ms`);
    }
  }

  async #call(plugin: string): Promise<string> {
    try {
      const { output } = await this.#client.call('tool.call', { plugin, tool: 'slow', input: {}, timeoutMs: callMs });
      if (!JSON.stringify(output).includes('done')) this.#faults.push(`a call was answered ${JSON.stringify(output)}`);
      return 'answered';
    } catch (thrown) {
      const code = thrown instanceof HostError ? thrown.code : 'no HostError';
      if (!['tool_crashed', 'tool_timeout'].includes(code)) {
        this.#faults.push(`a call of ${plugin} ended with ${code}: ${String(thrown)}`);
        await sleep(50);
      }
      return code;
    }
  }

  /** False where it is not there to be killed. */
  async #kill(plugin: string): Promise<boolean> {
    const { cell, lifecycle } = await this.#client.call('service.status', { plugin });
    if (cell?.pid === undefined || lifecycle !== 'running') return false;
    try {
      process.kill(cell.pid, 'SIGKILL');
      return true;
    } catch {
      // It was killed a moment ago.
      return false;
    }
  }

  async #allBack(before: VitalSigns | undefined): Promise<void> {
    let left: string[] = [];
    await until(
      async () => {
        left = [];
        for (const plugin of this.#ids) {
          const { lifecycle } = await this.#client.call('service.status', { plugin });
          if (lifecycle !== 'running') left.push(`${plugin} is ${lifecycle}`);
        }
        const { counts } = await this.#client.call('daemon.status', {});
        if (counts.toolCallsPending > 0) left.push(`${String(counts.toolCallsPending)} calls are pending`);
        const now = vitalSignsOf(this.#daemon.daemonPid);
        if (before !== undefined && now !== undefined)
          for (const what of ['threads', 'descriptors', 'processes'] as const)
            if (now[what] > before[what]) left.push(`${String(now[what])} ${what}, ${String(before[what])} before`);
        return left.length === 0;
      },
      settleMs,
      50,
    );
    this.#faults.push(...left);
    for (const plugin of this.#ids)
      if ((await this.#call(plugin)) !== 'answered') this.#faults.push(`${plugin} does not answer any more`);
  }
}

function writeServer(folder: string, id: string): string {
  const place = join(folder, id);
  mkdirSync(place, { recursive: true });
  const manifest = {
    schemaVersion: 1,
    id,
    name: id,
    version: '1.0.0',
    mcp: {
      command: process.execPath,
      args: [program],
      restart: { policy: 'on-failure', intensity: 1000, periodMs: 60_000, backoffMs: [20, 200] },
    },
  };
  writeFileSync(join(place, 'plugin.json'), JSON.stringify(manifest));
  return place;
}
