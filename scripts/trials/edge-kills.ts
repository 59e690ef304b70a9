// The daemon is killed again and again while webhooks come in and commands go out. Whatever was answered with 202 has
// its commands delivered, and nothing else has: over HTTP at least once and under one Idempotency-Key, as an event of
// another durable service exactly once.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type Server, type ServerResponse, createServer, request } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, connect } from '../../protocol/client/client.ts';
import { daemonArguments, socketIn } from '../daemon-arguments.ts';

export interface EdgeKillOptions {
  readonly kills: number;
  readonly senders: number;
  readonly seed: number;
  progress(text: string): void;
}

export interface EdgeKillReport {
  readonly kills: number;
  /** Events that were answered with 202. */
  readonly acknowledged: number;
  /** Of these, the ones whose handler throws. */
  readonly failing: number;
  /** Requests that the receiver got. */
  readonly requests: number;
  /** Of these, the ones it had taken before. */
  readonly repeated: number;
  /** Events that the second service counted. */
  readonly counted: number;
  readonly faults: readonly string[];
}

const secret = 'the-secret-of-the-trial';
const hooks = 'trial.hooks';
const books = 'trial.books';
const failsEach = 10;
const readyMs = 60_000;
const doneMs = 300_000;

const hooksCode = `
export const service = {
  start() {},
  handleIngress({ payload: { body } }, ctx) {
    ctx.send('out', { n: body.n }, { key: String(body.n % 8) });
    ctx.send('books', { n: body.n });
    if (body.n % ${String(failsEach)} === 0) throw new Error('planned');
  },
};
`;
const booksCode = `
export const service = {
  start() {},
  handleIngress({ payload: { n } }, ctx) {
    const key = 'n' + String(n);
    ctx.state.set(key, (ctx.state.get(key) ?? 0) + 1);
  },
};
`;

/** The same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Fails half of its requests, before or after it has taken them. */
class Receiver {
  /** By number: under which keys it was taken. */
  readonly taken = new Map<number, Set<string>>();
  requests = 0;
  repeated = 0;
  readonly #server: Server;
  readonly #random: () => number;
  isReliable = false;

  constructor(random: () => number) {
    this.#random = random;
    this.#server = createServer((incoming, response) => void this.#receive(incoming, response));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}/`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #receive(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    try {
      for await (const chunk of incoming.setEncoding('utf8')) text += String(chunk);
    } catch {
      // The daemon was killed in the middle of it.
      return;
    }
    this.requests += 1;
    const chance = this.isReliable ? 1 : this.#random();
    if (chance < 0.25) return void response.writeHead(503).end();
    const key = String(incoming.headers['idempotency-key']);
    const { n } = JSON.parse(text) as { n: number };
    const keys = this.taken.get(n) ?? new Set();
    if (keys.has(key)) this.repeated += 1;
    this.taken.set(n, keys.add(key));
    if (chance < 0.5) incoming.socket.destroy();
    else response.writeHead(204).end();
  }
}

class Subject {
  readonly folder = mkdtempSync(join(tmpdir(), 'nagaya-edge-kills-'));
  readonly #port: number;
  #process: ChildProcess | undefined;

  constructor(port: number, receiver: string) {
    this.#port = port;
    const write = (id: string, code: string, service: object): void => {
      const folder = join(this.folder, 'plugins', id);
      mkdirSync(folder, { recursive: true });
      const manifest = { schemaVersion: 1, id, name: id, version: '1.0.0', entry: './index.js', service };
      writeFileSync(join(folder, 'plugin.json'), JSON.stringify(manifest));
      writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
      writeFileSync(join(folder, 'index.js'), code);
    };
    write(hooks, hooksCode, {
      ingresses: [{ name: 'in', kinds: ['push'] }],
      retry: { maxAttempts: 2, backoffMs: [1, 10] },
      sources: [
        {
          name: 'github',
          type: 'webhook',
          ingress: 'in',
          kind: 'push',
          verify: { scheme: 'github', secretEnv: ['TRIAL_SECRET'] },
          idFrom: { header: 'x-github-delivery' },
        },
      ],
      outputs: [
        { name: 'out', type: 'http', url: receiver },
        { name: 'books', type: 'event', plugin: books, ingress: 'in', kind: 'entry' },
      ],
    });
    write(books, booksCode, { ingresses: [{ name: 'in', kinds: ['entry'] }] });
    const config = { stateFolder: join(this.folder, 'state'), webhooks: { port } };
    writeFileSync(join(this.folder, 'nagaya.json'), JSON.stringify(config));
  }

  get url(): string {
    return `http://127.0.0.1:${String(this.#port)}/hooks/${hooks}/github`;
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const { folder } = this;
    const child = spawn(process.execPath, daemonArguments(folder), {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'], TRIAL_SECRET: secret },
    });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the daemon did not start')), readyMs);
      child.stdout.once('data', () => {
        clearTimeout(late);
        resolve();
      });
      child.once('exit', (code) => reject(new Error(`the daemon ended with ${String(code)}`)));
    });
  }

  async kill(): Promise<void> {
    const ending = this.#process;
    if (ending?.exitCode !== null || ending.signalCode !== null) return;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGKILL');
    await ended;
  }

  client(): Promise<Client> {
    return connect({ socket: socketIn(this.folder) });
  }
}

async function freePort(): Promise<number> {
  const server = createSocketServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The status, or 0 where nobody answered. */
const post = (url: string, n: number): Promise<number> =>
  new Promise((resolve) => {
    const body = JSON.stringify({ n });
    const headers = {
      'content-type': 'application/json',
      'x-github-delivery': `delivery-${String(n)}`,
      'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    };
    const sent = request(url, { method: 'POST', headers, agent: false, timeout: 10_000 }, (response) => {
      response.resume();
      response.once('close', () => resolve(response.complete ? (response.statusCode ?? 0) : 0));
    });
    sent.once('timeout', () => sent.destroy());
    sent.once('error', () => resolve(0));
    sent.end(body);
  });

class Senders {
  readonly acknowledged = new Set<number>();
  readonly #url: string;
  readonly #random: () => number;
  #next = 1;
  #isOver = false;
  #running: Promise<void>[] = [];

  constructor(url: string, random: () => number) {
    this.#url = url;
    this.#random = random;
  }

  start(count: number): void {
    this.#running = Array.from({ length: count }, () => this.#send());
  }

  /** Each goes on until its last event is answered. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  async #send(): Promise<void> {
    while (!this.#isOver) {
      const n = this.#next++;
      while ((await post(this.#url, n)) !== 202) await sleep(20);
      this.acknowledged.add(n);
      await sleep(this.#random() * 20);
    }
  }
}

export async function edgeKills({ kills, senders: count, seed, progress }: EdgeKillOptions): Promise<EdgeKillReport> {
  const random = randomOf(seed);
  const receiver = new Receiver(random);
  const subject = new Subject(await freePort(), await receiver.listen());
  const senders = new Senders(subject.url, random);
  try {
    await subject.start();
    senders.start(count);
    for (let kill = 1; kill <= kills; kill += 1) {
      await sleep(random() * 400);
      await subject.kill();
      await subject.start();
      if (kill % 20 === 0) progress(`${String(kill)} kills, ${String(senders.acknowledged.size)} events accepted`);
    }
    await senders.stop();
    receiver.isReliable = true;
    const counted = await settled(subject);
    return report({ kills, senders, receiver, counted });
  } finally {
    await subject.kill();
    receiver.close();
    rmSync(subject.folder, { recursive: true, force: true });
  }
}

/** What the second service has counted, once nothing waits any more. */
async function settled(subject: Subject): Promise<Readonly<Record<string, unknown>>> {
  const client = await subject.client();
  try {
    for (const endMs = Date.now() + doneMs; ; await sleep(100)) {
      const { outputs } = await client.call('output.list', {});
      const queues = await Promise.all(
        [hooks, books].map(async (plugin) => (await client.call('service.status', { plugin })).queue.depth),
      );
      if ([...queues, ...outputs.map(({ pending }) => pending)].every((waiting) => waiting === 0)) break;
      if (Date.now() > endMs) throw new Error('commands still wait');
      // What has failed often waits up to a minute.
      for (const { plugin, name } of outputs) await client.call('output.retry', { plugin, output: name });
    }
    return (await client.call('service.state', { plugin: books })).state;
  } finally {
    await client.close();
  }
}

interface Outcome {
  readonly kills: number;
  readonly senders: Senders;
  readonly receiver: Receiver;
  readonly counted: Readonly<Record<string, unknown>>;
}

function report({ kills, senders, receiver, counted }: Outcome): EdgeKillReport {
  const faults: string[] = [];
  const isFailing = (n: number): boolean => n % failsEach === 0;
  const { acknowledged } = senders;
  for (const n of acknowledged) {
    if (isFailing(n)) continue;
    const keys = receiver.taken.get(n)?.size ?? 0;
    if (keys !== 1) faults.push(`event ${String(n)} was sent under ${String(keys)} keys`);
    if (counted[`n${String(n)}`] !== 1)
      faults.push(`event ${String(n)} was counted ${String(counted[`n${String(n)}`])} times`);
  }
  for (const n of receiver.taken.keys())
    if (isFailing(n) || !acknowledged.has(n))
      faults.push(`a command came of event ${String(n)}, which was not handled`);
  for (const name of Object.keys(counted))
    if (isFailing(Number(name.slice(1))) || !acknowledged.has(Number(name.slice(1))))
      faults.push(`event ${name} was counted, which was not handled`);
  return {
    kills,
    acknowledged: acknowledged.size,
    failing: [...acknowledged].filter(isFailing).length,
    requests: receiver.requests,
    repeated: receiver.repeated,
    counted: Object.keys(counted).length,
    faults,
  };
}
