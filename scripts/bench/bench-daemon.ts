// The real daemon, built, in a process of its own with its own socket and folder, free or pinned to one core.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, connect } from '../../protocol/client/client.ts';
import { command } from './place.ts';
import { type Cpu, cpuOf } from './processor.ts';
import { commandLine } from './station.ts';
import type { Placement } from './subject.ts';

const readyMs = 60_000;
const endMs = 20_000;
const callMs = 60_000;

export interface BenchDaemonOptions {
  readonly placement?: Placement;
  readonly limits?: Readonly<Record<string, number>>;
  readonly guardian?: boolean;
  /** What else stands in its configuration. */
  readonly config?: object;
  /** Variables beside those that every daemon here has. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where an earlier daemon was; it stays. */
  readonly folder?: string;
}

export class BenchDaemon {
  readonly folder: string;
  readonly socket: string;
  readonly readyAfterMs: number;
  readonly client: Client;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(
    folder: string,
    child: ChildProcess,
    started: { readonly readyAfterMs: number; readonly client: Client; readonly ended: Promise<void> },
  ) {
    this.folder = folder;
    this.socket = socketIn(folder);
    this.readyAfterMs = started.readyAfterMs;
    this.client = started.client;
    this.#child = child;
    this.#ended = started.ended;
  }

  static async start({
    placement = 'free',
    limits = {},
    guardian = false,
    config = {},
    env = {},
    ...given
  }: BenchDaemonOptions = {}): Promise<BenchDaemon> {
    const folder = given.folder ?? (await mkdtemp(join(tmpdir(), 'nagaya-bench-')));
    await writeFile(
      join(folder, 'nagaya.json'),
      JSON.stringify({ stateFolder: join(folder, 'state'), limits, ...config }),
    );
    const args = [
      command,
      'serve',
      ...(guardian ? [] : ['--no-guardian']),
      '--json',
      '--log-level',
      'warn',
      '--until-stdin-ends',
      '--socket',
      socketIn(folder),
      '--config',
      join(folder, 'nagaya.json'),
    ];
    const [first, rest] = commandLine(placement, args);
    const beganMs = performance.now();
    // Its log goes to its state folder as well; here nobody reads it.
    const child = spawn(first, rest, {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'], HOME: folder, ...env },
    });
    child.stdin?.on('error', () => undefined); // its end is seen as `ended`
    const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
    try {
      await saysReady(child);
      const readyAfterMs = performance.now() - beganMs;
      return new BenchDaemon(folder, child, {
        readyAfterMs,
        client: await connect({ socket: socketIn(folder), callMs }),
        ended,
      });
    } catch (thrown) {
      child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
      throw thrown;
    }
  }

  /** With a guardian: the guardian's. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get cpu(): Cpu {
    return cpuOf(this.pid);
  }

  /** Loads the plugin of this folder and starts its service, where it has one. */
  async load(folder: string, options: { readonly start: boolean; readonly remember?: boolean }): Promise<void> {
    const { plugin } = await this.client.call('plugin.load', { path: folder, remember: options.remember === true });
    if (options.start) await this.client.call('service.start', { plugin: plugin.id });
  }

  /** Its folder stays. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
    await this.client.close();
  }

  async end(): Promise<void> {
    await this.client.close();
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), endMs);
    await this.#ended;
    clearTimeout(timer);
    await rm(this.folder, { recursive: true, force: true });
  }
}

const socketIn = (folder: string): string => join(folder, 's');

/** In JSON it says in one line that it listens. */
function saysReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the daemon was not ready within ${String(readyMs)} ms`)), readyMs);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the daemon ended with ${String(code)} instead of getting ready`));
    });
    child.stdout?.once('data', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
