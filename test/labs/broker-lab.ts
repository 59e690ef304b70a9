// A real MQTT broker (Debian's mosquitto) on a port of its own, and a client that speaks to it as others would.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type MqttClient, connectAsync } from 'mqtt';

const program = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto'].find(existsSync);

/** For `test`: why it cannot run here. */
export const needsBroker = { skip: program === undefined ? 'needs mosquitto' : false } as const;

export const brokerUser = 'nagaya';
export const brokerPassword = 'a-password-of-the-test';

export interface Broker {
  readonly url: string;
  readonly port: number;
  /** Everything it has said. */
  log(): string;
  /** As `kill -9`; what it has not written is lost. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  /** Freezes it: connections stay open, nobody answers. */
  freeze(): void;
  thaw(): void;
  client(): Promise<MqttClient>;
}

export interface BrokerOptions {
  /** Nobody connects without them. */
  readonly withPassword?: boolean;
  /** Lines of its list of who may do what. */
  readonly acl?: readonly string[];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connectSocket(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

export async function startBroker(t: TestContext, options: BrokerOptions = {}): Promise<Broker> {
  const folder = mkdtempSync(join(tmpdir(), 'nagaya-broker-'));
  const port = await freePort();
  writeConfiguration(folder, port, options);
  let child: ChildProcess | undefined;
  let log = '';
  const start = async (): Promise<void> => {
    const started = spawn(program ?? 'mosquitto', ['-c', join(folder, 'mosquitto.conf')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    for (const stream of [started.stdout, started.stderr]) stream.on('data', (chunk: Buffer) => (log += String(chunk)));
    for (const endMs = Date.now() + 20_000; !(await answers(port));) {
      if (started.exitCode !== null || Date.now() > endMs) throw new Error(`mosquitto did not start: ${log}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const stop = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending?.exitCode !== null || ending.signalCode !== null) return;
    const ended = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGCONT');
    ending.kill(signal);
    await ended;
  };
  const clients: MqttClient[] = [];
  t.after(async () => {
    for (const client of clients) client.end(true);
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await start();
  const url = `mqtt://127.0.0.1:${String(port)}`;
  return {
    url,
    port,
    log: () => log,
    stop,
    start,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    client: async () => {
      const credential = options.withPassword === true ? { username: brokerUser, password: brokerPassword } : {};
      const client = await connectAsync(url, { ...credential, protocolVersion: 5, reconnectPeriod: 100 });
      clients.push(client);
      return client;
    },
  };
}

function writeConfiguration(folder: string, port: number, { withPassword, acl }: BrokerOptions): void {
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const lines = [
    `listener ${String(port)} 127.0.0.1`,
    'log_type all',
    `allow_anonymous ${String(withPassword !== true)}`,
  ];
  if (process.getuid?.() === 0) lines.push('user root');
  if (withPassword === true) {
    const passwords = file('passwords', `${brokerUser}:${brokerPassword}\n`);
    chmodSync(passwords, 0o600);
    spawnSync('mosquitto_passwd', ['-U', passwords]);
    lines.push(`password_file ${passwords}`);
  }
  if (acl !== undefined) {
    const path = file('acl', `${acl.join('\n')}\n`);
    chmodSync(path, 0o600);
    lines.push(`acl_file ${path}`);
  }
  file('mosquitto.conf', `${lines.join('\n')}\n`);
}
