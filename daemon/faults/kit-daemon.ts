// A real daemon in a process of its own, with its own socket and folder, that the kit may lose: its death is an
// observation and not an error. Whatever happens, neither it nor anything it started outlives the kit.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { totalmem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Client, connect } from '../../protocol/client/client.ts';
import { maxSocketPathBytes } from '../../protocol/client/socket-path.ts';
import { HostError } from '../../protocol/errors.ts';
import { type ProcessMark, descendantsOf, isSame, markOf, rssMbOf } from './vital-signs.ts';
import { until } from './until.ts';

const fromSource = import.meta.url.endsWith('.ts');
const command = fileURLToPath(
  new URL(fromSource ? '../../dist/daemon/cli/nagaya.js' : '../cli/nagaya.js', import.meta.url),
);

/** Small, so that the faults that fill libuv's pool of threads do so. */
const poolThreads = '4';
/** The newest line in which a daemon says that it listens; its own pid comes before that of its guardian. */
const announced = /.*"event":"listening".*?"pid":(\d+)/s;
const readyMs = 60_000;
const endMs = 20_000;
const lookEveryMs = 50;
const keptLog = 20_000;
/** Far above what a daemon and its cells need, far below what a machine has. */
const ceilingMb = Math.min(3072, (totalmem() / 1024 / 1024) * 0.6);

export interface Death {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The kit ended it itself, because it had grown beyond all bounds. */
  readonly overCeiling: boolean;
}

export interface KitDaemonOptions {
  /** What goes into its nagaya.json, for the folder it is in. */
  readonly config?: (folder: string) => Readonly<Record<string, unknown>>;
  /** A folder of an earlier daemon, to be started again. */
  readonly folder?: string;
  /** Under a guardian, as users start it. */
  readonly guardian?: boolean;
  /** For Node itself. */
  readonly nodeFlags?: readonly string[];
}

/** In the temporary folder, unless a socket in it would have too long a path. */
export function makeFolder(): string {
  const name = 'nagaya-faults-';
  const fits = Buffer.byteLength(join(tmpdir(), `${name}XXXXXX`, 's')) <= maxSocketPathBytes;
  return realpathSync(mkdtempSync(join(fits ? tmpdir() : '/tmp', name)));
}

export class KitDaemon {
  readonly folder: string;
  readonly socket: string;
  readonly ended: Promise<Death>;
  readonly #child: ChildProcess;
  readonly #ownsFolder: boolean;
  readonly #seen = new Map<number, ProcessMark>();
  readonly #clients: Client[] = [];
  readonly #watch: NodeJS.Timeout;
  #death: Death | undefined;
  #overCeiling = false;
  #peakMb = 0;
  #daemonPid = 0;
  #log = '';
  readonly #atExit = (): void => this.#endEverything();

  private constructor(folder: string, { folder: given, guardian = false, nodeFlags = [] }: KitDaemonOptions) {
    this.folder = folder;
    this.#ownsFolder = given === undefined;
    this.socket = join(folder, 's');
    const {
      NAGAYA_SOCKET: _socket,
      NAGAYA_CONFIG: _config,
      NAGAYA_STATE: _state,
      NODE_OPTIONS: _options,
      NODE_TEST_CONTEXT: _context,
      ...env
    } = process.env;
    const args = [
      ...nodeFlags,
      command,
      'serve',
      ...(guardian ? [] : ['--no-guardian']),
      '--json',
      '--until-stdin-ends',
      '--socket',
      this.socket,
      '--config',
      join(folder, 'nagaya.json'),
    ];
    this.#child = spawn(process.execPath, args, {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...env, NO_COLOR: '1', UV_THREADPOOL_SIZE: poolThreads },
    });
    this.#child.stdin?.on('error', () => undefined); // its end is seen as `ended`
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-keptLog);
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#death = { code, signal, overCeiling: this.#overCeiling };
        resolve(this.#death);
      });
    });
    this.#watch = setInterval(() => this.#look(), lookEveryMs);
    process.once('exit', this.#atExit);
  }

  static async start(options: KitDaemonOptions = {}): Promise<KitDaemon> {
    const folder = options.folder ?? makeFolder();
    writeFileSync(
      join(folder, 'nagaya.json'),
      JSON.stringify({ stateFolder: join(folder, 'state'), ...options.config?.(folder) }),
    );
    const daemon = new KitDaemon(folder, options);
    let printed = '';
    daemon.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-keptLog);
      daemon.#daemonPid = Number(announced.exec(printed)?.[1] ?? 0);
    });
    // In JSON it says in one line that it listens.
    if (
      !(await until(() => daemon.#daemonPid > 0 || daemon.dead !== undefined, readyMs)) ||
      daemon.dead !== undefined
    ) {
      await daemon.remove();
      throw new HostError('internal', `The daemon of the kit did not start:\n${daemon.#log}`);
    }
    return daemon;
  }

  /** Of the guardian, where there is one. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Of the daemon that announced itself last. */
  get daemonPid(): number {
    return this.#daemonPid;
  }

  get dead(): Death | undefined {
    return this.#death;
  }

  /** The largest it and its processes have been together. */
  get peakMb(): number {
    return this.#peakMb;
  }

  get log(): string {
    return this.#log;
  }

  async connect(callMs = 60_000): Promise<Client> {
    const client = await connect({ socket: this.socket, callMs });
    this.#clients.push(client);
    return client;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /**
   * Processes it started, or that these started, which still live: the children of the daemon, and those it has lost.
   */
  living(): readonly ProcessMark[] {
    this.#look();
    return [...this.#seen.values()].filter(isSame);
  }

  /** Asks it to end, and ends it hard when it does not. True when it ended by itself. */
  async stop(): Promise<boolean> {
    this.#child.stdin?.end();
    const inTime = await until(() => this.#death !== undefined, endMs);
    await this.remove();
    return inTime;
  }

  /** Ends it at once, and whatever is left of it. */
  async remove({ withFolder = false } = {}): Promise<void> {
    this.#look();
    clearInterval(this.#watch);
    process.removeListener('exit', this.#atExit);
    this.#child.kill('SIGKILL');
    await this.ended;
    await Promise.all(this.#clients.map((client) => client.close()));
    this.#endEverything();
    if (withFolder) rmSync(this.folder, { recursive: true, force: true });
  }

  #look(): void {
    if (this.#death !== undefined) return;
    let totalMb = rssMbOf(this.pid);
    for (const pid of descendantsOf(this.pid)) {
      totalMb += rssMbOf(pid);
      const mark = this.#seen.get(pid) ?? markOf(pid);
      if (mark !== undefined) this.#seen.set(pid, mark);
    }
    this.#peakMb = Math.max(this.#peakMb, totalMb);
    if (totalMb < ceilingMb) return;
    this.#overCeiling = true;
    this.#endProcesses();
  }

  #endProcesses(): void {
    this.#child.kill('SIGKILL');
    for (const mark of this.#seen.values()) {
      if (isSame(mark)) endProcess(mark.pid);
    }
  }

  #endEverything(): void {
    this.#endProcesses();
    if (this.#ownsFolder) rmSync(this.folder, { recursive: true, force: true });
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself in the meantime.
  }
}
