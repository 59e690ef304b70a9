// Whom the signals of a cell may not reach: the daemon, its guardian, their groups and their threads. Numbers are
// judged as the system is given them: Node converts texts, lists and truth values to numbers on the way.
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import { replace } from './denial.ts';

/** Own references: what a plugin patches comes later. */
const read = readFileSync;
const ask = existsSync;
const { apply } = Reflect;

export interface SignalTargets {
  /** The daemon and who started it; the first is the process that a thread cell runs in. */
  readonly processes: readonly number[];
  /** Whether the cell is the only one in its process group. */
  readonly ownsGroup: boolean;
  /** What is refused, and what to do instead of a signal. */
  refuse(what: string, remedy: 'signal' | 'priority'): never;
}

type Send = (target: number, signal: number) => number;

export const numberOf = (value: unknown): number => Number(value) | 0;

/** `started`: processes of the plugin's own, for a cell that is kept from looking at the system's list of threads. */
export function shieldSignals(targets: SignalTargets, isStarted: (pid: number) => boolean = () => true): void {
  const isShielded = shieldOf(targets, isStarted);
  // process.kill goes through this one, whoever calls it.
  const send = (Reflect.get(process, '_kill') as Send).bind(process);
  replace(process, '_kill', (target: unknown, signal: unknown) => {
    const [number, sent] = [numberOf(target), numberOf(signal)];
    return sent !== 0 && isShielded(number)
      ? targets.refuse('process.kill() of the daemon', 'signal')
      : send(number, sent);
  });
  const { setPriority } = os;
  replace(os, 'setPriority', (...args: [number, number?]) => {
    // With one argument it is the priority, of the own process.
    const [target, priority] = args[1] === undefined ? [0, args[0]] : [args[0], args[1]];
    if (typeof target === 'number' && isShielded(target === 0 ? process.pid : target))
      targets.refuse('os.setPriority() of the daemon', 'priority');
    apply(setPriority, os, [target, priority]);
  });
}

function shieldOf(
  { processes, ownsGroup }: SignalTargets,
  isStarted: (pid: number) => boolean,
): (target: number) => boolean {
  const groups = processes.map(groupOf);
  const own = groupOf(process.pid);
  const numbers: Record<number, true> = Object.create(null) as Record<number, true>;
  for (const number of [
    -1,
    ...processes,
    ...processes.map((pid) => -pid),
    ...groups.flatMap((group) => (group === undefined || (ownsGroup && group === own) ? [] : [-group])),
  ])
    numbers[number] = true;
  if (!ownsGroup) numbers[0] = true;
  const canLook = exists('/proc/self/task');
  return (target) => {
    if (numbers[target] === true) return true;
    // The system takes the number of a thread for its process.
    if (target <= 0) return false;
    return canLook
      ? processes.some((pid) => exists(`/proc/${String(pid)}/task/${String(target)}`))
      : !isStarted(target);
  };
}

function exists(path: string): boolean {
  try {
    return ask(path);
  } catch {
    // The permission model keeps the cell from it.
    return false;
  }
}

/** Undefined where it cannot be read; the number itself is shielded all the same. */
function groupOf(pid: number): number | undefined {
  return statOf(pid)?.[2];
}

export function parentOf(pid: number): number | undefined {
  return statOf(pid)?.[1];
}

/** State, parent, group and so on: what follows the name, which stands in brackets and may hold anything. */
function statOf(pid: number): number[] | undefined {
  try {
    const text = read(`/proc/${String(pid)}/stat`, 'utf8');
    return text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
  } catch {
    // Another system, or the permission model keeps the cell from it.
    return undefined;
  }
}
