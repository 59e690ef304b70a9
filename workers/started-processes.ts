// What this process has started, for an end without a daemon: a tool's process shares its group with others and cannot
// be ended by it, and of what any plugin starts some may have left its group.
import { readFileSync, readdirSync } from 'node:fs';
import { StartedProcesses } from '../protocol/cell/started-processes.ts';

/** Taken before any plugin runs. */
const [readdir, readFile, kill] = [readdirSync, readFileSync, process.kill.bind(process)];

const processes = new StartedProcesses({
  readdir: (path) => readdir(path),
  readText: (path) => readFile(path, 'utf8'),
  kill: (pid, signal) => void kill(pid, signal),
});

/** Who was started by a process that has ended since belongs to nobody any more. */
export function endStarted(): void {
  processes.end(() => processes.by('self'));
}
