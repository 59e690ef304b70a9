// Plugins that take the daemon down, plugins that count what they handle, and a daemon under a guardian to run them.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, connect } from '../../protocol/client/client.ts';
import type { Death, DaemonStatus } from '../../protocol/operations/daemon.ts';
import { type Cleanup, type ServedDaemon, serve, temporaryFolder } from './cli-process.ts';

/** What ends the process from a thread, by name: the code of a handler. */
export const deathCodes = {
  regexAtStackEnd:
    "const walk = (n) => { try { return walk(n + 1); } catch (e) { return e.message.replace(/a+b/, '-'); } }; walk(0);",
  splitHuge: "'x'.repeat(2 ** 28).split('');",
  sortHole: '[].sort.call({ length: 2 ** 27 });',
  matchAll: "'x'.repeat(2 ** 27).match(/x/g);",
  arrayFrom: 'Array.from({ length: 2 ** 28 });',
  sliceTyped: '[].slice.call(new Uint8Array(2 ** 28));',
  oneArray: 'new Array(2 ** 27).fill(0);',
} as const;
export type DeathCode = keyof typeof deathCodes;

/** Node 26 survives the others. */
const survives = Number(process.versions.node.split('.')[0]) >= 26;
export const fatalCodes: readonly DeathCode[] = survives ? ['splitHuge'] : ['regexAtStackEnd', 'splitHuge', 'sortHole'];
export const quickDeath: DeathCode = survives ? 'splitHuge' : 'sortHole';

/** A plugin whose handler, tool and profile run the code they are given, and whose handler tells when it has begun. */
export function writeKiller(
  folder: string,
  id: string,
  limits: object = {},
  durability: 'disk' | 'memory' = 'memory',
): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'plugin.json'),
    JSON.stringify({
      schemaVersion: 1,
      id,
      name: id,
      version: '1.0.0',
      entry: './index.js',
      limits,
      service: { ingresses: [{ name: 'work', kinds: ['do'] }], queue: { durability }, timeouts: { handleMs: 60_000 } },
      tools: [
        { name: 'run', description: 'Runs the code it is given.', timeoutMs: 60_000 },
        { name: 'runAlone', description: 'The same in a thread of its own.', timeoutMs: 60_000, isolation: 'fresh' },
      ],
      profiles: [{ name: 'run', description: 'Runs the code it is given.', timeoutMs: 60_000 }],
    }),
  );
  writeFileSync(
    join(folder, 'index.js'),
    `const run = (code) => new Function('return (async () => {' + code + '})()')();
export const service = { start() {}, handleIngress: (event) => run(event.payload.code) };
const tool = async ({ code }) => { await run(code); return {}; };
export const tools = { run: tool, runAlone: tool };
export const profiles = { run: { onInput: (input) => run(input.content) } };
`,
  );
}

/** A plugin that writes a line for each event that it has handled, with the event's number and attempt. */
export function writeCounter(folder: string, id: string, eventMs = 0): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'plugin.json'),
    JSON.stringify({
      schemaVersion: 1,
      id,
      name: id,
      version: '1.0.0',
      entry: './index.js',
      service: { ingresses: [{ name: 'work', kinds: ['count'] }], queue: { capacity: 10_000, durability: 'memory' } },
    }),
  );
  writeFileSync(
    join(folder, 'index.js'),
    `import { appendFileSync } from 'node:fs';
const handled = ${JSON.stringify(join(folder, 'handled'))};
export const service = {
  start() {},
  async handleIngress(event) {
    if (${String(eventMs)} > 0) await new Promise((resolve) => setTimeout(resolve, ${String(eventMs)}));
    appendFileSync(handled, event.payload.n + ' ' + event.attempt + '\\n');
  },
};
`,
  );
}

export interface Handled {
  readonly n: number;
  readonly attempt: number;
}

export function handledIn(folder: string): Handled[] {
  try {
    return readFileSync(join(folder, 'handled'), 'utf8')
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [n, attempt] = line.split(' ').map(Number);
        return { n: n ?? 0, attempt: attempt ?? 0 };
      });
  } catch {
    return [];
  }
}

export interface DeathLab {
  readonly daemon: ServedDaemon;
  readonly folder: string;
  client(): Promise<Client>;
  status(): Promise<DaemonStatus>;
  /** Runs what ends the daemon and answers what the next one tells of it, and after how long a ping was answered. */
  die(cause: (client: Client, pid: number) => void): Promise<{ death: Death; backMs: number }>;
}

/** `write` puts the plugins into the folder it is given. */
export async function deathLab(t: Cleanup, write: (folder: string) => void, config: object = {}): Promise<DeathLab> {
  const folder = temporaryFolder(t);
  const plugins = join(folder, 'plugins');
  mkdirSync(plugins);
  write(plugins);
  const path = join(folder, 'nagaya.json');
  writeFileSync(
    path,
    JSON.stringify({
      plugins: { folders: [plugins] },
      guardian: { restart: { intensity: 100, backoffMs: [20, 100] } },
      ...config,
    }),
  );
  const daemon = await serve(t, ['--config', path, '--log-level', 'error']);
  const clients: Client[] = [];
  t.after(() => Promise.all(clients.map((client) => client.close())).then(() => undefined));
  const client = async (): Promise<Client> => {
    const opened = await connect({ socket: daemon.socket, connectMs: 30_000, callMs: 60_000 });
    clients.push(opened);
    return opened;
  };
  const status = async (): Promise<DaemonStatus> => (await client()).call('daemon.status', {});
  return {
    daemon,
    folder: plugins,
    client,
    status,
    async die(cause) {
      const first = await client();
      const { pid, guardian } = await first.call('daemon.status', {});
      cause(first, pid);
      await first.closed;
      const diedMs = performance.now();
      await (await client()).call('daemon.ping', {});
      const backMs = performance.now() - diedMs;
      const after = await status();
      const death = after.guardian?.deaths.at(-1);
      // The number shown is bounded: only the last one tells whether there was another.
      if (death === undefined || death.at === guardian?.deaths.at(-1)?.at) throw new Error('the daemon has not died');
      return { death, backMs };
    },
  };
}
