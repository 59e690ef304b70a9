// The daemon of one test: its process, its folder, and the promise that neither outlives the test, however that ends.
// The daemon shuts down when its standard input ends, and so also when the test's process is killed.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { maxSocketPathBytes } from '../../protocol/client/socket-path.ts';
import { HostError } from '../../protocol/errors.ts';
import { LineCutter, asText } from '../../protocol/framing.ts';

export interface TestPluginOptions {
  /** What the plugin finds as `ctx.config`. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Environment of the daemon; the plugin sees of it what its manifest names in `env`. */
  readonly env?: Readonly<Record<string, string>>;
  /** As `plugins.overrides.<id>` of nagaya.json: timeouts, queue, limits, tools and so on. */
  readonly overrides?: Readonly<Record<string, unknown>>;
  /** `held`, unless given: commands go nowhere, and `sent` shows them. */
  readonly outputs?: 'held' | 'delivered';
  /** The daemon listens for webhooks, on any free port. */
  readonly webhooks?: boolean;
}

type DaemonProcess = ChildProcessByStdio<Writable, Readable, Readable>;

const fromSource = import.meta.url.endsWith('.ts');
const command = fileURLToPath(
  new URL(fromSource ? '../../dist/daemon/cli/nagaya.js' : '../../daemon/cli/nagaya.js', import.meta.url),
);

const startMs = 60_000;
const closeMs = 20_000;
const keptLogLines = 200;
const maxLineBytes = 1024 * 1024;

export class TestDaemon {
  readonly socket: string;
  readonly #folder: string;
  readonly #process: DaemonProcess;
  readonly #log: string[];
  readonly #ended: Promise<void>;
  readonly #removeAtExit = (): void => {
    // Nothing can be waited for any more: what is left of the test goes at once.
    this.#process.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  };

  private constructor(socket: string, folder: string, child: DaemonProcess, log: string[], ended: Promise<void>) {
    this.socket = socket;
    this.#folder = folder;
    this.#process = child;
    this.#log = log;
    this.#ended = ended;
    process.once('exit', this.#removeAtExit);
  }

  static async start(plugin: string, options: TestPluginOptions): Promise<TestDaemon> {
    const folder = makeFolder();
    const socket = join(folder, 's');
    const config = join(folder, 'nagaya.json');
    writeFileSync(config, JSON.stringify(configFor(plugin, folder, options)));
    const child = spawn(
      process.execPath,
      [
        command,
        'serve',
        '--json',
        '--until-stdin-ends',
        '--socket',
        socket,
        '--config',
        config,
        '--plugins',
        resolve(plugin),
      ],
      { stdio: ['pipe', 'pipe', 'pipe'], env: daemonEnvironment(options.env) },
    );
    const log: string[] = [];
    const ended = new Promise<void>((settle) => child.once('close', () => settle()));
    const daemon = new TestDaemon(socket, folder, child, log, ended);
    readLines(child.stderr, (line) => {
      log.push(line);
      if (log.length > keptLogLines) log.shift();
    });
    child.stdin.on('error', () => undefined); // the daemon's end is seen as `ended`
    try {
      await listening(child, ended);
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown';
      await daemon.close();
      throw new HostError(
        'internal',
        [
          `The daemon of the test did not start: ${reason}.`,
          ...log.slice(-keptLogLines).map((line) => `  ${line}`),
        ].join('\n'),
      );
    }
    daemon.#letGo();
    return daemon;
  }

  /** The newest lines of the daemon's own log, as it wrote them. */
  logTail(lines: number): readonly string[] {
    return this.#log.slice(-lines);
  }

  async close(): Promise<void> {
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), closeMs);
    this.#process.ref();
    this.#process.stdin.end();
    await this.#ended;
    clearTimeout(timer);
    process.removeListener('exit', this.#removeAtExit);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A test that forgets to close must still end: nothing of the daemon holds its event loop. */
  #letGo(): void {
    this.#process.unref();
    for (const stream of [this.#process.stdin, this.#process.stdout, this.#process.stderr]) {
      // The pipes of a child are sockets, whatever their declared type.
      (stream as unknown as { unref(): void }).unref();
    }
  }
}

/** In the temporary folder, unless a socket in it would have too long a path. */
function makeFolder(): string {
  const name = 'nagaya-plugin-';
  const fits = Buffer.byteLength(join(tmpdir(), `${name}XXXXXX`, 's')) <= maxSocketPathBytes;
  return realpathSync(mkdtempSync(join(fits ? tmpdir() : '/tmp', name)));
}

function configFor(plugin: string, folder: string, options: TestPluginOptions): Record<string, unknown> {
  const id = declaredId(plugin);
  const override = {
    ...options.overrides,
    autostart: false,
    ...(options.config === undefined ? {} : { config: options.config }),
  };
  return {
    stateFolder: join(folder, 'state'),
    log: { level: 'info' },
    outputs: { hold: options.outputs !== 'delivered' },
    ...(options.webhooks === true ? { webhooks: { port: 0 } } : {}),
    plugins: { overrides: id === undefined ? {} : { [id]: override } },
  };
}

/** The daemon says what is wrong with a manifest; here it only matters whom the overrides are for. */
function declaredId(plugin: string): string | undefined {
  try {
    const { id } = JSON.parse(readFileSync(join(plugin, 'plugin.json'), 'utf8')) as { id?: unknown };
    return typeof id === 'string' && /^(?![.])[a-z0-9._-]{1,128}(?<![.])$/.test(id) ? id : undefined;
  } catch {
    // Told by the daemon, with the path of the fault.
    return undefined;
  }
}

/** Without what the test's own runner and the user's own daemon would mean to it. */
function daemonEnvironment(given: TestPluginOptions['env']): Record<string, string | undefined> {
  const {
    NODE_TEST_CONTEXT: _context,
    NODE_OPTIONS: _options,
    NODE_V8_COVERAGE: _coverage,
    NAGAYA_SOCKET: _socket,
    NAGAYA_CONFIG: _config,
    NAGAYA_STATE: _state,
    ...env
  } = process.env;
  return { ...env, NO_COLOR: '1', ...given };
}

function readLines(stream: Readable, line: (text: string) => void): void {
  const cutter = new LineCutter(maxLineBytes, { line: asText(line), tooLong: () => line('(a line too long to keep)') });
  stream.on('data', (chunk: Buffer) => cutter.push(chunk));
}

/** Settles with the daemon's one line on standard output, or with why there is none. */
async function listening(child: DaemonProcess, ended: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([
      new Promise<void>((settle) => readLines(child.stdout, () => settle())),
      new Promise<never>((_, reject) => child.once('error', reject)),
      ended.then(() =>
        Promise.reject(new Error(`it ended with ${child.signalCode ?? `exit code ${String(child.exitCode)}`}`)),
      ),
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`it did not listen within ${String(startMs)} ms`)), startMs);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
