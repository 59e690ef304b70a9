// One run of Node's test runner in a process group of its own. Depending on the version of Node, the runner's own time
// limit does not end a file that loops, ignores SIGTERM or leaves something open: here it ends, whatever it does, and
// no process of the run outlives it.
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Process, processes } from './processes.ts';
import { GroupEntries } from './test-entries.ts';
import type { TestGroup } from './test-groups.ts';

export interface TestRun {
  readonly root: string;
  /** Each of them is one process. */
  readonly groups: readonly TestGroup[];
  readonly concurrency: number;
  /** For the tests of one file, each of them and all together. */
  readonly testMs: number;
  /** For one file, by SIGKILL. */
  readonly fileMs: number;
  /** For all of it. */
  readonly totalMs: number;
  readonly output?: 'inherit' | 'ignore';
  /** Told how long a file took. */
  readonly took?: (file: string, seconds: number) => void;
  /** Told what was ended, and what ended by itself before it was over. */
  readonly tell?: (message: string) => void;
}

const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const lookEveryMs = 500;
/** A process that was told to end needs a moment. */
const lingerMs = 3000;

export async function runTests(run: TestRun): Promise<number> {
  const signals = new SignalsPassedOn();
  try {
    return await runRounds(run, signals);
  } finally {
    signals.end();
  }
}

async function runRounds(run: TestRun, signals: SignalsPassedOn): Promise<number> {
  const endMs = performance.now() + run.totalMs;
  let code = 0;
  let { groups } = run;
  // A file that ends its process ends the run of the others in it: they run once more, each in its own process.
  for (let round = 0; groups.length > 0 && performance.now() < endMs; round += 1) {
    const entries = new GroupEntries(run, groups);
    try {
      code = (await runEntries(run, entries, endMs, signals)) || code;
      if (signals.came) return code || 1;
      const { interrupted, waiting } = entries.unfinished();
      for (const file of interrupted) tell(run, `The process ended while it ran ${file}.`);
      for (const file of round === 0 ? [] : waiting) tell(run, `${file} did not run.`);
      if (interrupted.length + waiting.length > 0) code ||= 1;
      groups = round === 0 ? waiting.map((file, at) => ({ name: `${String(at)}-again`, files: [file] })) : [];
      if (run.took !== undefined) entries.eachTook(run.took);
    } finally {
      entries.remove();
    }
  }
  return code;
}

async function runEntries(
  run: TestRun,
  entries: GroupEntries,
  endMs: number,
  signals: SignalsPassedOn,
): Promise<number> {
  const options = [
    '--import',
    'tsx',
    '--test',
    `--test-concurrency=${String(run.concurrency)}`,
    // Each file has limits of its own within the process of its group.
    `--test-timeout=${String(run.totalMs)}`,
    '--test-reporter=spec',
  ];
  const runner = spawn(process.execPath, [...options, ...entries.paths], {
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
  signals.to(group);
  const watching = watch(run, runner, group, entries, endMs);
  const code = await exited;
  await watching;
  return (await endStragglers(run, group)) ? code : code || 1;
}

/** Whoever is told to end tells the group that runs, and begins no other one. */
class SignalsPassedOn {
  came = false;
  #group: number | undefined;

  constructor() {
    for (const signal of endingSignals) process.on(signal, this.#pass);
  }

  to(group: number): void {
    this.#group = group;
  }

  end(): void {
    for (const signal of endingSignals) process.off(signal, this.#pass);
  }

  readonly #pass = (signal: NodeJS.Signals): void => {
    this.came = true;
    if (this.#group !== undefined) signalGroup(this.#group, signal);
  };
}

/** Neither a daemon of the user's own nor a runner above this one may leak into the tests. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('NAGAYA_') && name !== 'NODE_TEST_CONTEXT'),
  );
}

const tell = (run: TestRun, message: string): void => (run.tell ?? console.error)(message);

const isOver = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function watch(
  run: TestRun,
  runner: ChildProcess,
  group: number,
  entries: GroupEntries,
  endMs: number,
): Promise<void> {
  const seen = new Map<number, { file: string; sinceMs: number }>();
  while (!isOver(runner)) {
    await sleep(lookEveryMs);
    const nowMs = performance.now();
    if (nowMs > endMs) {
      tell(run, `The tests did not end within ${String(run.totalMs / 1000)} s and are ended.`);
      signalGroup(group, 'SIGKILL');
      return;
    }
    const present = (await processes()).filter(({ parent }) => parent === group);
    // The system gives a number again: another process must not inherit the time of the one before it.
    for (const pid of seen.keys()) if (!present.some((found) => found.pid === pid)) seen.delete(pid);
    for (const { pid, command, zombie } of present) {
      const file = entries.running(command.split(' ').at(-1) ?? '') ?? command;
      const before = seen.get(pid);
      const sinceMs = before?.file === file ? before.sinceMs : nowMs;
      seen.set(pid, { file, sinceMs });
      if (zombie || nowMs - sinceMs < run.fileMs) continue;
      tell(run, `${file} did not end within ${String(run.fileMs / 1000)} s and is ended.`);
      signalProcess(pid, 'SIGKILL');
      seen.delete(pid);
    }
  }
}
/** True when the run has left nothing behind. */
async function endStragglers(run: TestRun, group: number): Promise<boolean> {
  const left = async (): Promise<Process[]> =>
    (await processes()).filter((found) => found.group === group && !found.zombie);
  for (const untilMs = performance.now() + lingerMs; performance.now() < untilMs; await sleep(50)) {
    if ((await left()).length === 0) return true;
  }
  for (const { pid, command } of await left())
    tell(run, `A process of the tests outlived them and is ended: ${String(pid)} ${command}`);
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
