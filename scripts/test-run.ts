// One run of Node's test runner in a process group of its own. Depending on the version of Node, the runner's own time
// limit does not end a file that loops, ignores SIGTERM or leaves something open: here it ends, whatever it does, and
// no process of the run outlives it.
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Process, processes } from './processes.ts';

export interface TestRun {
  readonly root: string;
  readonly files: readonly string[];
  readonly concurrency: number;
  /** For one test where the runner can tell, else for one file. */
  readonly testMs: number;
  /** For one file, by SIGKILL. */
  readonly fileMs: number;
  /** For all of it. */
  readonly totalMs: number;
  readonly output?: 'inherit' | 'ignore';
}

const lookEveryMs = 500;
/** A process that was told to end needs a moment. */
const lingerMs = 3000;

export async function runTests(run: TestRun): Promise<number> {
  const options = [
    '--import',
    'tsx',
    '--test',
    `--test-concurrency=${String(run.concurrency)}`,
    `--test-timeout=${String(run.testMs)}`,
    '--test-reporter=spec',
  ];
  const runner = spawn(process.execPath, [...options, ...run.files], {
    cwd: run.root,
    env: environment(),
    stdio: run.output ?? 'inherit',
    detached: true,
  });
  const exited = new Promise<number>((resolve, reject) => {
    runner.once('error', reject);
    runner.once('exit', (code) => resolve(code ?? 1));
  });
  const group = runner.pid;
  if (group === undefined) return exited;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => signalGroup(group, signal));
  const watching = watch(run, runner, group);
  const code = await exited;
  await watching;
  return (await endStragglers(group)) ? code : code || 1;
}

/** Neither a daemon of the user's own nor a runner above this one may leak into the tests. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('NAGAYA_') && name !== 'NODE_TEST_CONTEXT'),
  );
}

const isOver = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function watch(run: TestRun, runner: ChildProcess, group: number): Promise<void> {
  const seenMs = new Map<number, number>();
  const endMs = performance.now() + run.totalMs;
  while (!isOver(runner)) {
    await sleep(lookEveryMs);
    const nowMs = performance.now();
    if (nowMs > endMs) {
      console.error(`The tests did not end within ${String(run.totalMs / 1000)} s and are ended.`);
      signalGroup(group, 'SIGKILL');
      return;
    }
    const present = (await processes()).filter(({ parent }) => parent === group);
    // The system gives a number again: another process must not inherit the time of the one before it.
    for (const pid of seenMs.keys()) if (!present.some((found) => found.pid === pid)) seenMs.delete(pid);
    for (const { pid, command, zombie } of present) {
      const sinceMs = seenMs.get(pid) ?? nowMs;
      seenMs.set(pid, sinceMs);
      if (zombie || nowMs - sinceMs < run.fileMs) continue;
      console.error(
        `${command.split(' ').at(-1) ?? command} did not end within ${String(run.fileMs / 1000)} s and is ended.`,
      );
      signalProcess(pid, 'SIGKILL');
      seenMs.delete(pid);
    }
  }
}

/** True when the run has left nothing behind. */
async function endStragglers(group: number): Promise<boolean> {
  const left = async (): Promise<Process[]> =>
    (await processes()).filter((found) => found.group === group && !found.zombie);
  for (const untilMs = performance.now() + lingerMs; performance.now() < untilMs; await sleep(50)) {
    if ((await left()).length === 0) return true;
  }
  for (const { pid, command } of await left())
    console.error(`A process of the tests outlived them and is ended: ${String(pid)} ${command}`);
  signalGroup(group, 'SIGKILL');
  return false;
}

const signalGroup = (group: number, signal: NodeJS.Signals): void => signalProcess(-group, signal);

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself in the meantime.
  }
}
