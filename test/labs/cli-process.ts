// Runs the compiled `nagaya` command as a person would: a process with arguments, standard streams and an exit code,
// and a daemon of its own where a test needs one.
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../../', import.meta.url));
export const commandFile = join(repository, 'dist/daemon/cli/nagaya.js');
export const examplesFolder = join(repository, 'examples');

type Environment = Readonly<Record<string, string | undefined>>;

/** Nothing of the machine's own daemon, and nothing of the test runner. */
const cleanEnvironment: Environment = {
  ...process.env,
  NODE_TEST_CONTEXT: undefined,
  NODE_OPTIONS: undefined,
  NAGAYA_SOCKET: undefined,
  NAGAYA_CONFIG: undefined,
  NAGAYA_STATE: undefined,
  NO_COLOR: undefined,
  FORCE_COLOR: undefined,
};

/** A test, or a whole file of them. */
export interface Cleanup {
  after(run: () => void | Promise<void>): void;
}

/** To be made at the top of a file: what a `before` hook starts is ended after the file's last test. */
export function fileCleanup(): Cleanup {
  const runs: (() => void | Promise<void>)[] = [];
  after(async () => {
    for (const run of runs.reverse()) await run();
  });
  return { after: (run) => void runs.push(run) };
}

const undoing = new WeakMap<Cleanup, (() => void | Promise<void>)[]>();

/** Runs at the end, what was begun last first: a daemon ends before the folder goes that it writes to. */
function undo(t: Cleanup, run: () => void | Promise<void>): void {
  const known = undoing.get(t);
  if (known !== undefined) {
    known.push(run);
    return;
  }
  const runs = [run];
  undoing.set(t, runs);
  t.after(async () => {
    for (const one of runs.reverse()) await one();
  });
}

export function temporaryFolder(t: Cleanup): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nagaya-cli-')));
  // A process of a daemon that was killed may still be writing to it.
  undo(t, () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  return folder;
}

export interface RunOptions {
  readonly env?: Environment;
  readonly cwd?: string;
  /** What is written to standard input, which then ends. */
  readonly input?: string;
  readonly timeoutMs?: number;
}

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  stdout(): string;
  /** What was read so far; a line that another channel lets expect may still come. */
  stderr(): string;
  /** Waits until standard error holds it. */
  says(pattern: RegExp): Promise<void>;
  /** Waits until what was printed so far fulfils the condition. */
  until(
    what: string,
    fulfilled: (printed: { stdout: string; stderr: string }) => boolean,
    timeoutMs?: number,
  ): Promise<void>;
  readonly ended: Promise<Ran>;
}

/** Far more than any command takes; a loaded machine must not fail a test. */
const defaultTimeoutMs = 60_000;

export function startProcess(t: Cleanup, file: string, args: readonly string[], options: RunOptions = {}): Running {
  const child = spawn(file, [...args], {
    cwd: options.cwd,
    env: { ...cleanEnvironment, ...options.env },
    stdio: 'pipe',
  });
  const printed = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (printed.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (printed.stderr += text));
  child.stdin.on('error', () => undefined); // a process that ends without reading is seen by its exit code
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? defaultTimeoutMs);
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...printed });
    });
  });
  undo(t, async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  });
  if (options.input !== undefined) child.stdin.end(options.input);
  const until: Running['until'] = async (what, fulfilled, timeoutMs = defaultTimeoutMs) => {
    const deadline = performance.now() + timeoutMs;
    while (!fulfilled(printed)) {
      const over = child.exitCode !== null || child.signalCode !== null || performance.now() > deadline;
      assert.ok(!over, `did not see ${what}; printed:\n${printed.stdout}\n${printed.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return {
    child,
    stdout: () => printed.stdout,
    stderr: () => printed.stderr,
    says: (pattern) => until(String(pattern), ({ stderr }) => pattern.test(stderr)),
    until,
    ended,
  };
}

export function startCommand(t: Cleanup, args: readonly string[], options: RunOptions = {}): Running {
  return startProcess(t, process.execPath, [commandFile, ...args], options);
}

/** Runs the command to its end; standard input is empty unless given. */
export async function nagaya(t: Cleanup, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return await startCommand(t, args, { input: '', ...options }).ended;
}

export interface ServedDaemon {
  readonly socket: string;
  readonly folder: string;
  /** Of the guardian. */
  readonly running: Running;
  /** Runs a command against this daemon. */
  nagaya(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** The same with --json; the exit code must be 0, and the answer is parsed. */
  json(args: readonly string[], options?: RunOptions): Promise<unknown>;
  start(args: readonly string[], options?: RunOptions): Running;
}

/** A daemon for the tests of one file: `after` of the file's suite, or of one test, ends it. */
export async function serve(t: Cleanup, args: readonly string[] = [], options: RunOptions = {}): Promise<ServedDaemon> {
  const folder = temporaryFolder(t);
  const socket = join(folder, 's');
  const env = { NAGAYA_STATE: join(folder, 'state'), ...options.env };
  const running = startCommand(t, ['serve', '--socket', socket, '--json', '--until-stdin-ends', ...args], {
    timeoutMs: 600_000,
    cwd: folder,
    ...options,
    env,
  });
  await running.until('the daemon to listen', ({ stdout }) => stdout.includes('\n'));
  const named = { NAGAYA_SOCKET: socket };
  return {
    socket,
    folder,
    running,
    nagaya: (command, given = {}) => nagaya(t, command, { ...given, env: { ...named, ...given.env } }),
    async json(command, given = {}) {
      const ran = await nagaya(t, [...command, '--json'], { ...given, env: { ...named, ...given.env } });
      assert.equal(ran.code, 0, `${command.join(' ')}: ${ran.stderr}`);
      return JSON.parse(ran.stdout) as unknown;
    },
    start: (command, given = {}) => startCommand(t, command, { ...given, env: { ...named, ...given.env } }),
  };
}

export const jsonLines = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
