// How many webhooks a second a daemon accepts and handles, and how many commands it delivers: beside what one would
// build instead, on the same machine and in turns. The peer of the webhooks is fastify with BullMQ on redis: both are
// found in the folder that NAGAYA_PEERS names (`npm install --prefix DIR bullmq fastify`), redis at NAGAYA_REDIS
// (redis://127.0.0.1:6379); without them the daemon is measured alone.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, connect } from '../../protocol/client/client.ts';
import { daemonArguments, socketIn } from '../daemon-arguments.ts';

export interface RateOptions {
  readonly seconds: number;
  progress(text: string): void;
}

export interface RateReport {
  /** A second, medians of the rounds. */
  readonly webhooksDurable: number;
  readonly webhooksInMemory: number;
  readonly webhooksOfPeer: number | null;
  readonly commands: number;
  readonly fetchLoop: number;
  readonly ratios: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
}

/** What is left of the commands is delivered within this. */
const mostWaitMs = 120_000;
const secret = 'the-secret-of-the-trial';
const rounds = 3;
const connections = 64;
const commandsEach = 16;
const started: ChildProcess[] = [];

function start(code: string, env: object = {}): ChildProcess {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  started.push(child);
  return child;
}

const firstLine = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    child.stdout?.once('data', (chunk: Buffer) => resolve(String(chunk).trim()));
    child.once('exit', () => reject(new Error('a process of the trial ended')));
  });

/** Counts what it is sent; GET answers how much that was. */
const sink = `
import { createServer } from 'node:http';
let count = 0;
createServer((request, response) => {
  if (request.method === 'GET') return response.end(String(count));
  request.on('data', () => {});
  request.on('end', () => { count += 1; response.writeHead(204).end(); });
}).listen(0, '127.0.0.1', function () { console.log(this.address().port); });
`;

/** As one would write it: one command after the other, with retries left out. */
const fetchLoop = (url: string): string => `
for (;;) await fetch(${JSON.stringify(url)}, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"n":1,"text":"${'x'.repeat(200)}"}' });
`;

/** Signed webhooks over keep-alive connections, one at a time on each. */
const loader = (port: number, path: string): string => `
import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
let sent = 0;
const body = () => JSON.stringify({ n: (sent += 1), text: ${JSON.stringify('x'.repeat(200))} });
function request() {
  const text = body();
  const signature = createHmac('sha256', ${JSON.stringify(secret)}).update(text).digest('hex');
  return 'POST ${path} HTTP/1.1\\r\\nhost: hooks\\r\\ncontent-type: application/json\\r\\ncontent-length: ' + text.length + '\\r\\nx-hub-signature-256: sha256=' + signature + '\\r\\n\\r\\n' + text;
}
for (let at = 0; at < ${String(connections)}; at += 1) {
  const socket = connect(${String(port)}, '127.0.0.1', () => socket.write(request()));
  // A refusal asks to come back: a little later is soon enough.
  socket.on('data', (chunk) => setTimeout(() => socket.write(request()), chunk.includes(' 202 ') ? 0 : 5));
  socket.on('error', () => {});
}
`;

const peer = (folder: string, redis: string): string => `
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createRequire } from 'node:module';
const require = createRequire(${JSON.stringify(join(folder, 'package.json'))});
const { Queue, Worker } = require('bullmq');
const fastify = require('fastify')();
const { hostname, port } = new URL(${JSON.stringify(redis)});
const connection = { host: hostname, port: Number(port || 6379), maxRetriesPerRequest: null };
const queue = new Queue('nagaya-trial', { connection, defaultJobOptions: { removeOnComplete: true } });
let handled = 0;
new Worker('nagaya-trial', async () => { handled += 1; }, { connection, concurrency: 64 });
fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => done(null, body));
fastify.get('/handled', () => ({ handled }));
fastify.post('/hook', async (request, reply) => {
  const right = createHmac('sha256', ${JSON.stringify(secret)}).update(request.body).digest();
  const given = Buffer.from(String(request.headers['x-hub-signature-256']).slice(7), 'hex');
  if (given.length !== right.length || !timingSafeEqual(given, right)) return reply.code(401).send();
  await queue.add('push', { body: JSON.parse(request.body) });
  return reply.code(202).send({ accepted: true });
});
await fastify.listen({ port: 0, host: '127.0.0.1' });
console.log(fastify.server.address().port);
`;

function write(folder: string, id: string, code: string, service: object): void {
  const at = join(folder, 'plugins', id);
  mkdirSync(at, { recursive: true });
  const manifest = { schemaVersion: 1, id, name: id, version: '1.0.0', entry: './index.js', service };
  writeFileSync(join(at, 'plugin.json'), JSON.stringify(manifest));
  writeFileSync(join(at, 'package.json'), '{"type":"module"}');
  writeFileSync(join(at, 'index.js'), code);
}

async function startDaemon(folder: string, sinkUrl: string): Promise<Client> {
  const verify = { scheme: 'github', secretEnv: ['TRIAL_SECRET'] };
  const source = { name: 'github', type: 'webhook', ingress: 'in', kind: 'push', verify };
  const ingresses = [{ name: 'in', kinds: ['push'] }];
  const handler = 'export const service = { start() {}, async handleIngress() {} };';
  write(folder, 'trial.disk', handler, { ingresses, sources: [source], queue: { capacity: 100_000 } });
  write(folder, 'trial.memory', handler, {
    ingresses,
    sources: [source],
    queue: { capacity: 100_000, durability: 'memory' },
  });
  const sending = `
export const service = { start() {}, handleIngress({ payload }, ctx) {
  for (let n = 0; n < ${String(commandsEach)}; n += 1) ctx.send('out', { n, text: '${'x'.repeat(200)}' }, { key: String(n) });
} };`;
  write(folder, 'trial.sender', sending, { ingresses, outputs: [{ name: 'out', type: 'http', url: sinkUrl }] });
  writeFileSync(
    join(folder, 'nagaya.json'),
    JSON.stringify({ stateFolder: join(folder, 'state'), webhooks: { port: 0 } }),
  );
  const child = spawn(process.execPath, daemonArguments(folder), {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TRIAL_SECRET: secret },
  });
  started.push(child);
  await firstLine(child);
  return await connect({ socket: socketIn(folder) });
}

/** Of what `count` counts, a second, while this code runs in a process of its own. */
async function rateOf(code: string, count: () => Promise<number>, seconds: number): Promise<number> {
  const child = start(code);
  try {
    await sleep(1000);
    const before = await count();
    const beganMs = performance.now();
    await sleep(seconds * 1000);
    return ((await count()) - before) / ((performance.now() - beganMs) / 1000);
  } finally {
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
  }
}

async function commandRate(client: Client, count: () => Promise<number>, seconds: number): Promise<number> {
  let isOver = false;
  const event = { ingress: 'in', kind: 'push', payload: null };
  const publishing = (async () => {
    while (!isOver) {
      const { outputs } = await client.call('output.list', { plugin: 'trial.sender' });
      if ((outputs[0]?.pending ?? 0) > 2000) await sleep(5);
      else
        await client.call('ingress.publish', {
          plugin: 'trial.sender',
          events: Array.from({ length: 20 }, () => event),
        });
    }
  })();
  await sleep(1000);
  const before = await count();
  const beganMs = performance.now();
  await sleep(seconds * 1000);
  const rate = ((await count()) - before) / ((performance.now() - beganMs) / 1000);
  isOver = true;
  await publishing;
  for (const untilMs = performance.now() + mostWaitMs; performance.now() < untilMs; await sleep(50)) {
    const { outputs } = await client.call('output.list', { plugin: 'trial.sender' });
    if ((outputs[0]?.pending ?? 0) === 0) return rate;
  }
  throw new Error('the commands are not delivered');
}

const median = (values: readonly number[]): number =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
const ratio = (one: number, other: number): number => Math.round((one / other) * 100) / 100;

export async function edgeRates({ seconds, progress }: RateOptions): Promise<RateReport> {
  const folder = mkdtempSync(join(tmpdir(), 'nagaya-edge-rates-'));
  try {
    const sinkPort = await firstLine(start(sink));
    const sinkUrl = `http://127.0.0.1:${sinkPort}/`;
    const arrived = async (): Promise<number> => Number(await (await fetch(sinkUrl)).text());
    const client = await startDaemon(folder, sinkUrl);
    const { sources } = await client.call('source.list', {});
    const port = Number(new URL(sources[0]?.url ?? '').port);
    const handled = (plugin: string) => async (): Promise<number> =>
      (await client.call('service.status', { plugin })).counters.handled;
    const peers = process.env['NAGAYA_PEERS'];
    const peerPort =
      peers === undefined
        ? undefined
        : Number(await firstLine(start(peer(peers, process.env['NAGAYA_REDIS'] ?? 'redis://127.0.0.1:6379'))));
    const byPeer = async (): Promise<number> => {
      const answer = (await (await fetch(`http://127.0.0.1:${String(peerPort)}/handled`)).json()) as {
        handled: number;
      };
      return answer.handled;
    };
    const figures: Record<'durable' | 'memory' | 'peer' | 'commands' | 'fetch', number[]> = {
      durable: [],
      memory: [],
      peer: [],
      commands: [],
      fetch: [],
    };
    for (let round = 0; round < rounds; round += 1) {
      const path = (plugin: string): string => `/hooks/${plugin}/github`;
      figures.durable.push(await rateOf(loader(port, path('trial.disk')), handled('trial.disk'), seconds));
      figures.memory.push(await rateOf(loader(port, path('trial.memory')), handled('trial.memory'), seconds));
      if (peerPort !== undefined) figures.peer.push(await rateOf(loader(peerPort, '/hook'), byPeer, seconds));
      figures.commands.push(await commandRate(client, arrived, seconds));
      figures.fetch.push(await rateOf(fetchLoop(sinkUrl), arrived, seconds));
      progress(JSON.stringify(figures));
    }
    await client.close();
    const [durable, memory, ofPeer, commands, loop] = Object.values(figures).map((values) =>
      Math.round(median(values)),
    ) as [number, number, number, number, number];
    return {
      webhooksDurable: durable,
      webhooksInMemory: memory,
      webhooksOfPeer: peerPort === undefined ? null : ofPeer,
      commands,
      fetchLoop: loop,
      ratios: {
        ...(peerPort === undefined
          ? {}
          : { webhooksDurable: ratio(durable, ofPeer), webhooksInMemory: ratio(memory, ofPeer) }),
        commands: ratio(commands, loop),
      },
      faults: [],
    };
  } finally {
    for (const child of started) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}
