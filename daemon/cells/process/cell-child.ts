// Starts the child process of a process cell: a group of its own, an environment of only the declared names, and
// bounds on heap, descriptors and core files. What Node itself does not bound, a shell's `ulimit` does on the way.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type ProcessCellBoot, watchFd } from '../../../protocol/cell/process-messages.ts';
import type { CellSpec } from '../cell.ts';
import { cellEntry } from '../../isolates/entries.ts';
import { mayStartWorkers, withWatchdog } from '../../isolates/permissions.ts';

/** Beyond the plugin's own bound, so that reaching that one is seen before opening fails. */
const spareDescriptors = 128;

/** Where the system gives less already, that stays. `exec` keeps the pid, so that the child is Node itself. */
const bounded = (descriptors: number): string =>
  `ulimit -c 0 2>/dev/null; ulimit -n ${String(descriptors + spareDescriptors)} 2>/dev/null; exec "$0" "$@"`;

const bootOf = ({ name, logBytesPerSecond, env, execArgv, grants }: CellSpec): ProcessCellBoot => ({
  title: `nagaya cell ${name}`,
  logBytesPerSecond,
  env: Object.keys(env),
  restricted: execArgv.length > 0,
  mayStartWorkers: mayStartWorkers(execArgv),
  ...(grants?.controlSocket === undefined ? {} : { controlSocket: grants.controlSocket }),
});

export function startChild(spec: CellSpec): ChildProcess {
  const entry = fileURLToPath(cellEntry('process-cell'));
  return fork(entry, [JSON.stringify(bootOf(spec))], {
    execPath: '/bin/sh',
    execArgv: [
      '-c',
      bounded(spec.descriptors),
      process.execPath,
      `--max-old-space-size=${String(spec.heapMb)}`,
      ...withWatchdog(spec.execArgv),
    ],
    env: { ...spec.env },
    // A plugin's relative paths mean its own folder, wherever the daemon was started.
    cwd: spec.folder,
    serialization: 'advanced',
    detached: true,
    stdio: stdio(),
  });
}

function stdio(): ('ignore' | 'pipe' | 'ipc')[] {
  const slots: ('ignore' | 'pipe' | 'ipc')[] = ['ignore', 'pipe', 'pipe', 'ipc'];
  slots[watchFd] = 'pipe';
  return slots;
}
