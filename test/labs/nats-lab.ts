// A real nats-server with JetStream, and daemons that are members of one cluster on it.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Client } from '../../protocol/client/client.ts';
import { type TestDaemon, type TestDaemonOptions, startTestDaemon } from './test-daemon.ts';
import { untilAnswer } from './until.ts';

/** What a test is skipped with; continuous integration has the server. */
export const noServer: string | false =
  spawnSync('nats-server', ['--version']).status === 0
    ? false
    : 'nats-server is not installed: apt-get install nats-server';

export interface NatsLab {
  readonly url: string;
  stop(): Promise<void>;
  /** Again, on the same port with what it had stored. */
  start(): Promise<void>;
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

export async function startNats(t: TestContext, more: readonly string[] = []): Promise<NatsLab> {
  const folder = await mkdtemp(join(tmpdir(), 'nagaya-nats-'));
  const port = await freePort();
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const own = spawn(
      'nats-server',
      ['--addr', '127.0.0.1', '--port', String(port), '--jetstream', '--store_dir', folder, ...more],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    child = own;
    await new Promise<void>((resolve, reject) => {
      let said = '';
      own.stderr.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-20_000);
        if (said.includes('Server is ready')) resolve();
      });
      own.once('error', reject);
      own.once('exit', () => reject(new Error(`nats-server ended:\n${said}`)));
    });
  };
  const stop = async (): Promise<void> => {
    const own = child;
    child = undefined;
    if (own === undefined || own.exitCode !== null || own.signalCode !== null) return;
    const ended = new Promise((resolve) => own.once('exit', resolve));
    own.kill('SIGKILL');
    await ended;
  };
  t.after(async () => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  });
  await start();
  return { url: `nats://127.0.0.1:${String(port)}`, start, stop };
}

export interface Member {
  readonly name: string;
  readonly daemon: TestDaemon;
  readonly client: Client;
}

/** For tests in which a member dies: short, so that they need not wait long, and long enough for a slow machine. */
export const shortLease = { limits: { leaseMs: 6000 } };
/** No member is to be missed, however slow the machine is. */
const longLeaseMs = 30_000;

export interface MemberOptions extends TestDaemonOptions {
  readonly config?: { readonly limits?: object; readonly plugins?: object; readonly webhooks?: object };
  /** What else stands in its `cluster.nats`. */
  readonly nats?: object;
  /** False: it cannot become a member. */
  readonly joins?: boolean;
}

export async function startMember(
  t: TestContext,
  nats: Pick<NatsLab, 'url'>,
  name: string,
  { config, nats: more, joins = true, ...options }: MemberOptions = {},
): Promise<Member> {
  const daemon = await startTestDaemon(t, {
    ...options,
    config: {
      ...config,
      cluster: { name: 'test', member: name, nats: { servers: [nats.url], ...more } },
      limits: { leaseMs: longLeaseMs, ...config?.limits },
    },
  });
  const client = await daemon.connect();
  if (joins)
    await untilAnswer(
      'a member',
      () => client.call('cluster.status', {}),
      ({ connected }) => connected,
    );
  return { name, daemon, client };
}
