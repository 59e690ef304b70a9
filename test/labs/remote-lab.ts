// Daemons that show runtimes of other daemons, and peers that are none.
import { writeFileSync } from 'node:fs';
import { type Server, type Socket, createServer } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Limits, limits as limitsSchema } from '../../daemon/config/schema.ts';
import { Registry } from '../../daemon/runtimes/registry.ts';
import { RemoteDaemons } from '../../daemon/runtimes/remote/remote-daemons.ts';
import type { SpawnRemote } from '../../daemon/runtimes/remote/remote-thread.ts';
import { realClock } from '../../daemon/time/real-clock.ts';
import type { Client } from '../../protocol/client/client.ts';
import { type TestDaemon, type TestDaemonOptions, startTestDaemon } from './test-daemon.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const farToken = 'far-token-0123456789-0123456789';
export const farReadToken = 'far-reads-0123456789-0123456789';

export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

export interface Started {
  readonly daemon: TestDaemon;
  readonly client: Client;
}

/** A daemon that others may ask. */
export async function startFar(t: TestContext, port: number, options: TestDaemonOptions = {}): Promise<Started> {
  const daemon = await startTestDaemon(t, {
    ...options,
    config: { http: { port, token: farToken, readToken: farReadToken }, ...options.config },
  });
  return { daemon, client: await daemon.connect() };
}

export interface Near extends Started {
  readonly tokenFile: string;
}

/** No answer is late, however slow the machine is. */
const patient = { runtimeMs: 30_000 };

interface NearOptions {
  readonly token?: string;
  /** What else the runtime `far` has; with several, each has an id of its own. */
  readonly entry?: object | readonly object[];
  readonly config?: object;
  readonly env?: TestDaemonOptions['env'];
}

/** A daemon with a runtime `far` of the daemon on this port. */
export async function startNear(
  t: TestContext,
  port: number,
  { token = farToken, entry = {}, config = {}, env = {} }: NearOptions = {},
): Promise<Near> {
  const tokenFile = join(await temporaryFolder(t), 'far.token');
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
  const daemon = await startTestDaemon(t, {
    env,
    config: {
      limits: patient,
      runtimes: [entry]
        .flat()
        .map((own) => ({ id: 'far', url: `http://127.0.0.1:${String(port)}`, tokenFile, ...own })),
      ...config,
    },
  });
  return { daemon, client: await daemon.connect(), tokenFile };
}

export interface Peer {
  readonly port: number;
  /** What it was sent, by connection. */
  readonly heard: string[];
  close(): void;
}

/** A server made of bytes: it does with each request what the test says. */
export async function startPeer(
  t: TestContext,
  onRequest: (socket: Socket, head: string) => void,
  onConnection?: (socket: Socket) => void,
): Promise<Peer> {
  const heard: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    const index = heard.push('') - 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    onConnection?.(socket);
    socket.on('data', (chunk: Buffer) => {
      const before = heard[index] ?? '';
      const text = chunk.toString('latin1');
      heard[index] = before + text;
      if (text.includes('\r\n\r\n')) onRequest(socket, text);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  t.after(close);
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, heard, close };
}

export const answerText = (body: string, head = 'HTTP/1.1 200 OK', type = 'application/json'): string =>
  `${head}\r\ncontent-type: ${type}\r\ncontent-length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`;

export interface RemoteLab {
  readonly registry: Registry;
  readonly daemons: RemoteDaemons;
  readonly told: string[];
}

/** The host's side with its real thread, in front of peers by their ids. */
export async function remoteLab(
  t: TestContext,
  peers: Readonly<Record<string, number>>,
  limits: Partial<Limits> = {},
  spawn?: SpawnRemote,
): Promise<RemoteLab> {
  const folder = await temporaryFolder(t);
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, farToken, { mode: 0o600 });
  const bounds = { ...limitsSchema.parse({}), ...patient, ...limits };
  const told: string[] = [];
  const log = { warn: (fields: object, message: string) => void told.push(`${JSON.stringify(fields)} ${message}`) };
  const daemons = new RemoteDaemons({
    daemons: Object.entries(peers).map(([id, port]) => ({
      id,
      url: `http://127.0.0.1:${String(port)}`,
      tokenFile,
      runtime: 'backend-internal',
    })),
    limits: bounds,
    clock: realClock,
    log,
    ...(spawn === undefined ? {} : { spawn }),
  });
  const registry = new Registry({ clock: realClock, limits: bounds, log });
  for (const runtime of daemons.runtimes) registry.add(runtime);
  daemons.start();
  t.after(() => daemons.close());
  return { registry, daemons, told };
}
