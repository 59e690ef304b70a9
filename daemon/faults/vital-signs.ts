// What the system says of a daemon from outside, without asking it: its threads, descriptors, child processes and
// resident memory, from /proc. Where there is no /proc nothing is known, and nothing is claimed.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

export interface VitalSigns {
  readonly threads: number;
  readonly descriptors: number;
  readonly sockets: number;
  readonly processes: number;
  /** Of the daemon alone. */
  readonly rssMb: number;
}

/** A process and when it began: an id alone may have been given to another one since. */
export interface ProcessMark {
  readonly pid: number;
  readonly began: string;
}

const pageMb = 4096 / (1024 * 1024);

const orNothing = <Value>(read: () => Value): Value | undefined => {
  try {
    return read();
  } catch {
    // It ended while it was looked at, or this system has no /proc.
    return undefined;
  }
};

const namesIn = (folder: string): string[] => orNothing(() => readdirSync(folder)) ?? [];

export function rssMbOf(pid: number): number {
  const pages = orNothing(() => readFileSync(`/proc/${String(pid)}/statm`, 'utf8'))?.split(' ')[1];
  return pages === undefined ? 0 : Number(pages) * pageMb;
}

export function markOf(pid: number): ProcessMark | undefined {
  const stat = orNothing(() => readFileSync(`/proc/${String(pid)}/stat`, 'utf8'));
  if (stat === undefined) return undefined;
  // The name stands in brackets and may hold anything, so that what follows is counted from the last bracket.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : { pid, began: fields[19] ?? '' };
}

export const isSame = (mark: ProcessMark): boolean => markOf(mark.pid)?.began === mark.began;

/** Children, their children and so on; each listed by the thread that started it. */
export function descendantsOf(pid: number): number[] {
  const children = namesIn(`/proc/${String(pid)}/task`).flatMap((thread) => {
    const list = orNothing(() => readFileSync(`/proc/${String(pid)}/task/${thread}/children`, 'utf8')) ?? '';
    return list
      .split(' ')
      .filter((id) => id.trim() !== '')
      .map(Number);
  });
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

/** Undefined where there is nothing to read. */
export function vitalSignsOf(pid: number): VitalSigns | undefined {
  const threads = namesIn(`/proc/${String(pid)}/task`).length;
  if (threads === 0) return undefined;
  const descriptors = namesIn(`/proc/${String(pid)}/fd`);
  const sockets = descriptors.filter((name) =>
    orNothing(() => readlinkSync(`/proc/${String(pid)}/fd/${name}`))?.startsWith('socket:'),
  );
  return {
    threads,
    descriptors: descriptors.length,
    sockets: sockets.length,
    processes: descendantsOf(pid).length,
    rssMb: rssMbOf(pid),
  };
}
