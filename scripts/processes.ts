// The processes of this machine as /proc tells them; where there is no /proc nothing is known, and nothing is found.
import { readFile, readdir } from 'node:fs/promises';

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly zombie: boolean;
  readonly command: string;
}

export async function processes(): Promise<Process[]> {
  const names = await readdir('/proc').catch(() => {
    // Another kind of system.
    return [];
  });
  const found = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map(readProcess));
  return found.filter((process) => process !== undefined);
}

async function readProcess(pid: string): Promise<Process | undefined> {
  try {
    const [stat, commandLine] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
    ]);
    // The name stands in brackets and may hold anything, so that what follows is counted from the last bracket.
    const [state = '', parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      zombie: state === 'Z',
      command: commandLine.replaceAll('\0', ' ').trim(),
    };
  } catch {
    // It ended while it was looked at.
    return undefined;
  }
}
