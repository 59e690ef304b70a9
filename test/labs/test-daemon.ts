// The real daemon as its own process, as a user starts it, for tests that look at it from outside.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Client, connect } from '../../protocol/client/client.ts';
import { until } from './until.ts';

const command = fileURLToPath(new URL('../../dist/daemon/cli/nagaya.js', import.meta.url));
const launcher = fileURLToPath(new URL('../../bin/nagaya.cjs', import.meta.url));

export interface TestDaemonOptions {
  readonly plugins?: readonly string[];
  /** What goes into its nagaya.json. */
  readonly config?: object;
  readonly env?: Readonly<Record<string, string>>;
  readonly readyMs?: number;
  /** Under a guardian, as users start it; without one, the process is the daemon itself. */
  readonly guardian?: boolean;
  /** The compiled file of another build. */
  readonly command?: string;
  /** By the command that npm links, instead of the compiled file. */
  readonly launcher?: boolean;
  /** Where an earlier daemon was, to begin where that one ended; it stays. */
  readonly folder?: string;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface TestDaemon {
  readonly socket: string;
  readonly folder: string;
  /** Of the guardian, where there is one. */
  readonly pid: number;
  readonly process: ChildProcessWithoutNullStreams;
  /** What it wrote to its log so far, as far as this process has read it. */
  log(): string;
  /** Waits until the log holds it: what a daemon says may be read after what it answers. */
  logged(pattern: RegExp): Promise<void>;
  connect(): Promise<Client>;
  signal(signal: NodeJS.Signals): void;
  /** Then its log is whole. */
  readonly ended: Promise<Ended>;
}

/** By the folder in which they are, or were: how each is ended. */
const daemonsIn = new Map<string, (() => Promise<void>)[]>();

export async function startTestDaemon(t: TestContext, options: TestDaemonOptions = {}): Promise<TestDaemon> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'nagaya-daemon-')));
  const socket = join(folder, 'n.sock');
  const config = join(folder, 'nagaya.json');
  await writeFile(config, JSON.stringify({ stateFolder: join(folder, 'state'), ...options.config }));
  const plugins =
    options.plugins === undefined || options.plugins.length === 0 ? [] : ['--plugins', ...options.plugins];
  const child = spawn(
    process.execPath,
    [
      options.launcher === true ? launcher : (options.command ?? command),
      'serve',
      '--json',
      ...(options.guardian === true ? [] : ['--no-guardian']),
      '--socket',
      socket,
      '--config',
      config,
      ...plugins,
    ],
    { env: { PATH: process.env['PATH'], HOME: folder, ...options.env } },
  );
  const ended = new Promise<Ended>((resolve) => void child.once('close', (code, signal) => resolve({ code, signal })));
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-1_000_000);
  });
  const clients: Client[] = [];
  const end = async (): Promise<void> => {
    for (const client of clients) await client.close();
    child.kill('SIGTERM');
    const hard = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await ended;
    clearTimeout(hard);
  };
  const inFolder = daemonsIn.get(folder) ?? [];
  daemonsIn.set(folder, inFolder);
  inFolder.push(end);
  t.after(async () => {
    await end();
    if (options.folder !== undefined) return;
    // What was begun first is ended first: a later daemon still writes here.
    for (const one of inFolder) await one();
    daemonsIn.delete(folder);
    await rm(folder, { recursive: true, force: true });
  });
  await ready(child, options.readyMs ?? 30_000, () => log);
  return {
    socket,
    folder,
    pid: child.pid ?? 0,
    process: child,
    log: () => log,
    logged: (pattern) => until(`the log holds ${String(pattern)}`, () => pattern.test(log)),
    async connect() {
      const client = await connect({ socket });
      clients.push(client);
      return client;
    },
    signal: (signal) => void child.kill(signal),
    ended,
  };
}

/** The daemon says in one line of JSON that it is there. */
function ready(child: ChildProcessWithoutNullStreams, withinMs: number, log: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the daemon was not ready within ${String(withinMs)} ms:\n${log()}`)),
      withinMs,
    );
    child.once('exit', () => {
      clearTimeout(timer);
      reject(new Error(`the daemon ended instead of getting ready:\n${log()}`));
    });
    child.stdout.once('data', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
