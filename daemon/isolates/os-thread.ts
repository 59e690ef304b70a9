// What the operating system knows of one thread: how long it ran and how long it wanted to. It tells a thread that is
// stuck from one that a busy machine gives no time to. Only on Linux; elsewhere nothing is known.
import { readFileSync } from 'node:fs';

export interface ThreadTimes {
  readonly ranMs: number;
  /** Ready to run, with no processor free for it. */
  readonly queuedMs: number;
  /** Runs, or is ready to: the system adds the time that a thread waits for a processor only once it has got one. */
  readonly isReady?: boolean;
}

const nanosecondsInMs = 1e6;

/** `osThread` is the system's number of a thread of this process; 0 where it is not known. */
export function threadTimes(osThread: number, withState = false): ThreadTimes | undefined {
  return osThread === 0 ? undefined : timesIn(`/proc/self/task/${String(osThread)}`, withState);
}

/** Of another process, whose main thread has the number of the process. */
export function mainThreadTimes(pid: number): ThreadTimes | undefined {
  return pid === 0 ? undefined : timesIn(`/proc/${String(pid)}/task/${String(pid)}`, true);
}

function timesIn(folder: string, withState: boolean): ThreadTimes | undefined {
  try {
    const [ran, queued] = readFileSync(`${folder}/schedstat`, 'utf8').split(' ').map(Number);
    // A kernel without these statistics has zeros here.
    if (ran === undefined || queued === undefined || !(ran > 0)) return undefined;
    const times = { ranMs: ran / nanosecondsInMs, queuedMs: queued / nanosecondsInMs };
    if (!withState) return times;
    // The state stands behind the name, which may hold anything.
    const isReady = /\) R /.test(readFileSync(`${folder}/stat`, 'utf8'));
    return { ...times, isReady };
  } catch {
    // No /proc, or the thread is gone, or no descriptor is left.
    return undefined;
  }
}

export type Standing = 'ran' | 'rested' | 'starved';

const most = 0.5;

/** What the thread mostly did between two looks. */
export function standing(
  before: ThreadTimes | undefined,
  now: ThreadTimes | undefined,
  betweenMs: number,
): Standing | undefined {
  if (before === undefined || now === undefined || betweenMs <= 0) return undefined;
  if (now.queuedMs - before.queuedMs >= most * betweenMs) return 'starved';
  if (now.ranMs - before.ranMs >= most * betweenMs) return 'ran';
  return before.isReady === true && now.isReady === true ? 'starved' : 'rested';
}

/** The number comes from memory that a plugin can get at: that of the host's own thread is not believed. */
export const isCellThread = (osThread: number): boolean => osThread > 0 && osThread !== process.pid;
