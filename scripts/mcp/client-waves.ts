// Waves of MCP clients over `nagaya mcp`: each connects, calls a tool and is killed with SIGKILL, some of them while
// the call runs. Afterwards the daemon is what it was before.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from '../../protocol/client/client.ts';
import { KitDaemon } from '../../daemon/faults/kit-daemon.ts';
import { until } from '../../daemon/faults/until.ts';
import { type VitalSigns, vitalSignsOf } from '../../daemon/faults/vital-signs.ts';
import { Random } from '../soak/random.ts';

const command = fileURLToPath(new URL('../../dist/daemon/cli/nagaya.js', import.meta.url));
const answerMs = 60_000;
const settleMs = 30_000;

export interface ClientWavesRun {
  readonly clients: number;
  readonly wave: number;
  readonly seed: number;
  progress(text: string): void;
}

export interface ClientWavesReport {
  readonly clients: number;
  /** Killed while their call ran. */
  readonly killedInCall: number;
  readonly before: VitalSigns | undefined;
  readonly after: VitalSigns | undefined;
  readonly faults: readonly string[];
}

export async function clientWaves({ clients, wave, seed, progress }: ClientWavesRun): Promise<ClientWavesReport> {
  const random = new Random(seed);
  // A thread that rests goes soon, so that those the waves have needed are not taken for something left behind.
  const daemon = await KitDaemon.start({ config: () => ({ limits: { toolIdleMs: 1000 } }) });
  const faults: string[] = [];
  let killedInCall = 0;
  try {
    const control = await daemon.connect();
    await control.call('plugin.load', { path: writeTools(daemon.folder), remember: false });
    // What a daemon makes once, at the first use, is not to look like something left behind.
    for (const tool of tools) await oneClient(daemon, tool.name, faults);
    await settled(daemon, control, undefined);
    const before = vitalSignsOf(daemon.daemonPid);
    for (let begun = 0; begun < clients && daemon.dead === undefined; begun += wave) {
      const names = Array.from({ length: Math.min(wave, clients - begun) }, () => random.pick(deeds));
      killedInCall += names.filter((name) => name !== 'echo').length;
      await Promise.all(names.map((name) => oneClient(daemon, name, faults)));
      progress(`${String(begun + names.length)} clients`);
    }
    if (daemon.dead !== undefined) {
      faults.push(`the daemon died: ${JSON.stringify(daemon.dead)}\n${daemon.log}`);
      return { clients, killedInCall, before, after: undefined, faults: [...new Set(faults)] };
    }
    faults.push(...(await settled(daemon, control, before)));
    return { clients, killedInCall, before, after: vitalSignsOf(daemon.daemonPid), faults: [...new Set(faults)] };
  } finally {
    await daemon.stop();
    await daemon.remove({ withFolder: true });
  }
}

/** Of each isolation one that waits: its client is killed while it does. */
const tools = [
  { name: 'echo' },
  { name: 'pooled', isolation: 'pooled', timeoutMs: 60_000 },
  { name: 'fresh', isolation: 'fresh', timeoutMs: 60_000 },
  { name: 'process', isolation: 'process', timeoutMs: 60_000 },
] as const;
const deeds = ['echo', 'echo', 'echo', 'pooled', 'pooled', 'fresh', 'process'] as const;

function writeTools(folder: string): string {
  const place = join(folder, 'waves');
  mkdirSync(place, { recursive: true });
  const manifest = { schemaVersion: 1, id: 'waves', name: 'Waves', version: '1.0.0', entry: './index.js', tools };
  writeFileSync(join(place, 'plugin.json'), JSON.stringify(manifest));
  writeFileSync(join(place, 'package.json'), '{"type":"module"}');
  writeFileSync(
    join(place, 'index.js'),
    `const waits = async (_, ctx) => { ctx.progress(1); await new Promise(() => {}); };
export const tools = { echo: (input) => input, pooled: waits, fresh: waits, process: waits };
`,
  );
  return place;
}

/** Connects, calls, and is killed: when its call was answered, or says that it runs. */
async function oneClient(daemon: KitDaemon, tool: string, faults: string[]): Promise<void> {
  const child = spawn(process.execPath, [command, 'mcp', '--socket', daemon.socket], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const exited = once(child, 'exit');
  child.stdin.on('error', () => undefined); // it was killed
  const wanted = tool === 'echo' ? '"id":2' : 'notifications/progress';
  const heard = hears(child, wanted);
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'wave', version: '1' } };
  const call = { name: `waves__${tool}`, arguments: { a: 1 }, _meta: { progressToken: 'p' } };
  for (const message of [
    { id: 1, method: 'initialize', params },
    { method: 'notifications/initialized' },
    { id: 2, method: 'tools/call', params: call },
  ])
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const said = await Promise.race([heard, exited.then(() => 'ended')]);
  if (said !== 'heard') faults.push(`a client that called ${tool} ${said === 'ended' ? 'ended' : 'heard nothing'}`);
  child.kill('SIGKILL');
  await exited;
}

function hears(child: ChildProcess, wanted: string): Promise<'heard' | 'nothing'> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('nothing'), answerMs);
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
      text = (text + piece).slice(-100_000);
      if (!text.includes(wanted)) return;
      clearTimeout(timer);
      resolve('heard');
    });
    child.once('exit', () => clearTimeout(timer));
  });
}

/** Waits until nothing is there that was not there before, and tells what is. */
async function settled(daemon: KitDaemon, control: Client, before: VitalSigns | undefined): Promise<string[]> {
  let left: string[] = [];
  await until(
    async () => {
      const { counts } = await control.call('daemon.status', {});
      const now = vitalSignsOf(daemon.daemonPid);
      left = counts.toolCallsPending === 0 ? [] : [`${String(counts.toolCallsPending)} calls are pending`];
      if (before !== undefined && now !== undefined)
        for (const what of ['threads', 'descriptors', 'sockets', 'processes'] as const)
          if (now[what] > before[what]) left.push(`${String(now[what])} ${what}, ${String(before[what])} before`);
      return left.length === 0 || daemon.dead !== undefined;
    },
    settleMs,
    50,
  );
  return left;
}
