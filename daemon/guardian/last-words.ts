// What a process says while it dies: V8's and the system's words on standard error, and Node's report on the fatal
// error. And which of its threads computed meanwhile, which can be seen only while it still writes.
import { readFileSync, readdirSync } from 'node:fs';

const dying = /FATAL ERROR|# Fatal|<--- Last few GCs|terminate called|Fatal process/;
const said = [
  /^FATAL ERROR: (.+)$/m,
  /^# (Fatal JavaScript .+)$/m,
  /^# (Check failed: .+)$/m,
  /terminate called after throwing an instance of '?([^'\n]+)'?/,
  /^#\s*Fatal error in [^\n]*\n# (.+)$/m,
];
const longestMessage = 300;

export const isDying = (text: string): boolean => dying.test(text);

/** The one line that says what happened. */
export function messageIn(stderr: string): string | undefined {
  for (const pattern of said) {
    const found = pattern.exec(stderr)?.[1];
    if (found !== undefined) return found.trim().slice(0, longestMessage);
  }
  return undefined;
}

export interface FatalReport {
  readonly thread?: number;
  readonly message?: string;
  readonly where?: string;
}

/** Text that is no report, or torn, tells nothing. */
export function fatalReport(text: string): FatalReport {
  try {
    const { header, javascriptStack } = JSON.parse(text) as {
      header?: { threadId?: unknown; event?: unknown; trigger?: unknown };
      javascriptStack?: { stack?: unknown };
    };
    // A report that somebody asked for says nothing about a death.
    if (header?.trigger === 'API' || header?.trigger === 'Signal') return {};
    const where = Array.isArray(javascriptStack?.stack) ? placeIn(javascriptStack.stack) : undefined;
    return {
      ...(typeof header?.threadId === 'number' ? { thread: header.threadId } : {}),
      ...(typeof header?.event === 'string' ? { message: header.event.slice(0, longestMessage) } : {}),
      ...(where === undefined ? {} : { where }),
    };
  } catch {
    return {};
  }
}

/** The first frame that lies in a file: its name, line and column, without the folders. */
function placeIn(stack: readonly unknown[]): string | undefined {
  for (const frame of stack) {
    const found = typeof frame === 'string' ? /([^/\s(]+\.[cm]?[jt]s:\d+:\d+)\)?$/.exec(frame)?.[1] : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Linux only: elsewhere nobody is seen. The process's own first thread is the host's. */
export function computingThreads(pid: number): number[] {
  try {
    return readdirSync(`/proc/${String(pid)}/task`)
      .map(Number)
      .filter((thread) => thread !== pid && isComputing(`/proc/${String(pid)}/task/${String(thread)}/stat`));
  } catch {
    return [];
  }
}

function isComputing(path: string): boolean {
  try {
    const stat = readFileSync(path, 'utf8');
    return stat.charAt(stat.lastIndexOf(')') + 2) === 'R';
  } catch {
    // The thread has ended.
    return false;
  }
}
