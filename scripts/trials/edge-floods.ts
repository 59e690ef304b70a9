// What neighbours feel while the webhook listener is flooded: the 99th percentile of deliveries to another plugin,
// while the flood hits the daemon, over the same while it hits a bare node:http process on the same machine. Both are
// measured in turns, and the medians of the rounds are compared.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Client, connect } from '../../protocol/client/client.ts';
import { daemonArguments, socketIn } from '../daemon-arguments.ts';

export interface FloodOptions {
  /** Of each measurement. */
  readonly seconds: number;
  progress(text: string): void;
}

interface FloodResult {
  readonly flood: string;
  /** Milliseconds: without a flood, with it at the bare process, and with it at the daemon. */
  readonly calmP99: number;
  readonly bareP99: number;
  readonly daemonP99: number;
  readonly ratio: number;
  /** Of the daemon, in MB, by which its memory grew. */
  readonly grewMb: number;
}

export interface FloodReport {
  readonly results: readonly FloodResult[];
  readonly faults: readonly string[];
}

const here = fileURLToPath(new URL('.', import.meta.url));
/** A webhook has its place within this. */
const mostWaitMs = 60_000;
const floods = ['signatures', 'slow', 'huge', 'smuggling'] as const;
const rounds = 3;
const mostRatio = 1.2;
/** What a ratio cannot tell of times that are this short. */
const slackMs = 0.5;
const mostGrowthMb = 64;
const hooks = 'trial.hooks';
const neighbour = 'trial.neighbour';

/** Verifies what it gets, as anybody would who has no daemon for it. */
const bareServer = `
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
const server = createServer((request, response) => {
  const chunks = [];
  let bytes = 0;
  request.on('data', (chunk) => {
    bytes += chunk.length;
    if (bytes > 262144) return response.writeHead(413, { connection: 'close' }).end(() => request.destroy());
    chunks.push(chunk);
  });
  request.on('error', () => undefined);
  request.on('end', () => {
    const right = createHmac('sha256', 'secret').update(Buffer.concat(chunks)).digest();
    const given = Buffer.from(String(request.headers['x-hub-signature-256']).slice(7), 'hex');
    response.writeHead(given.length === right.length && timingSafeEqual(given, right) ? 202 : 401).end('{}');
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

const started: ChildProcess[] = [];

function start(args: readonly string[], env: object = {}): ChildProcess {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, ...env } });
  started.push(child);
  return child;
}

const firstOutput = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    child.stdout?.once('data', (chunk: Buffer) => resolve(String(chunk)));
    child.once('exit', () => reject(new Error('a process of the trial ended')));
  });

async function startDaemon(
  folder: string,
): Promise<{ readonly client: Client; readonly pid: number; readonly port: number }> {
  const write = (id: string, code: string, service: object): void => {
    const at = join(folder, 'plugins', id);
    mkdirSync(at, { recursive: true });
    const manifest = { schemaVersion: 1, id, name: id, version: '1.0.0', entry: './index.js', service };
    writeFileSync(join(at, 'plugin.json'), JSON.stringify(manifest));
    writeFileSync(join(at, 'package.json'), '{"type":"module"}');
    writeFileSync(join(at, 'index.js'), code);
  };
  const code = 'export const service = { start() {}, handleIngress: () => null };';
  const verify = { scheme: 'github', secretEnv: ['TRIAL_SECRET'] };
  write(hooks, code, {
    ingresses: [{ name: 'in', kinds: ['push'] }],
    sources: [{ name: 'github', type: 'webhook', ingress: 'in', kind: 'push', verify }],
  });
  write(neighbour, code, { ingresses: [{ name: 'in', kinds: ['one'] }] });
  writeFileSync(
    join(folder, 'nagaya.json'),
    JSON.stringify({ stateFolder: join(folder, 'state'), webhooks: { port: 0 } }),
  );
  const child = start(daemonArguments(folder), { TRIAL_SECRET: 'secret' });
  await firstOutput(child);
  const client = await connect({ socket: socketIn(folder) });
  for (const untilMs = performance.now() + mostWaitMs; performance.now() < untilMs; await sleep(20)) {
    const { sources } = await client.call('source.list', { plugin: hooks });
    const url = sources[0]?.url;
    if (url !== undefined) return { client, pid: child.pid ?? 0, port: Number(new URL(url).port) };
  }
  throw new Error('the webhook has no place');
}

/** One delivery after the other, as a person would wait for them. */
async function p99(client: Client, seconds: number): Promise<number> {
  const times: number[] = [];
  const event = { ingress: 'in', kind: 'one', payload: null };
  for (const endMs = Date.now() + seconds * 1000; Date.now() < endMs; await sleep(1)) {
    const beganMs = performance.now();
    await client.call('ingress.deliver', { plugin: neighbour, event });
    times.push(performance.now() - beganMs);
  }
  return times.sort((one, other) => one - other)[Math.floor(times.length * 0.99)] ?? 0;
}

const residentMb = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? 0) / 1024;

const median = (values: readonly number[]): number =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;

const rounded = (value: number): number => Math.round(value * 100) / 100;

async function under<Value>(flood: string, port: number, path: string, measure: () => Promise<Value>): Promise<Value> {
  const child = start(['--import', 'tsx', join(here, 'flooder.ts'), flood, '127.0.0.1', String(port), path]);
  try {
    // It has begun, and what it does first is over.
    await sleep(1000);
    return await measure();
  } finally {
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
  }
}

export async function edgeFloods({ seconds, progress }: FloodOptions): Promise<FloodReport> {
  const folder = mkdtempSync(join(tmpdir(), 'nagaya-edge-floods-'));
  try {
    const { client, pid, port } = await startDaemon(folder);
    const barePort = Number(await firstOutput(start(['--input-type=module', '-e', bareServer])));
    const path = `/hooks/${hooks}/github`;
    await p99(client, 1);
    const results: FloodResult[] = [];
    for (const flood of floods) {
      const calm: number[] = [];
      const bare: number[] = [];
      const daemon: number[] = [];
      const beforeMb = residentMb(pid);
      for (let round = 0; round < rounds; round += 1) {
        calm.push(await p99(client, seconds));
        bare.push(await under(flood, barePort, '/', () => p99(client, seconds)));
        daemon.push(await under(flood, port, path, () => p99(client, seconds)));
      }
      const [calmP99, bareP99, daemonP99] = [calm, bare, daemon].map((values) => rounded(median(values))) as [
        number,
        number,
        number,
      ];
      const grewMb = Math.round(residentMb(pid) - beforeMb);
      results.push({ flood, calmP99, bareP99, daemonP99, ratio: rounded(daemonP99 / bareP99), grewMb });
      progress(JSON.stringify(results.at(-1)));
    }
    await client.close();
    return { results, faults: results.flatMap(faultsOf) };
  } finally {
    for (const child of started) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

function faultsOf({ flood, bareP99, daemonP99, grewMb }: FloodResult): string[] {
  return [
    ...(daemonP99 > bareP99 * mostRatio + slackMs
      ? [`${flood}: neighbours wait ${String(daemonP99)} ms, and ${String(bareP99)} ms where a bare process is flooded`]
      : []),
    ...(grewMb > mostGrowthMb ? [`${flood}: the daemon grew by ${String(grewMb)} MB`] : []),
  ];
}
