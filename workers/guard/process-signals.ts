// Whom the signals of a process cell may not reach: the daemon and what started it. What the plugin has started, and
// the cell's own process, are its own.
import { syncBuiltinESMExports } from 'node:module';
import { replace } from './denial.ts';
import { parentOf, shieldSignals } from './signals.ts';

const denied = (what: string, remedy: string): never => {
  throw Object.assign(new Error(`${what} is not allowed in a cell: it would act on the daemon. ${remedy}`), {
    code: 'ERR_NAGAYA_DENIED',
    name: 'Denied',
  });
};

const remedies = {
  signal: 'Throw, or call process.exit(), to end this cell.',
  priority: 'Set the priority of this process or of one that the plugin started.',
} as const;

/** `ownsGroup`: the cell leads a process group, so that a signal to its group reaches nobody else. */
export function shieldDaemonFromSignals(ownsGroup: boolean): void {
  const daemon = process.ppid;
  const starter = parentOf(daemon);
  const processes = starter === undefined || starter <= 1 ? [daemon] : [daemon, starter];
  shieldSignals({ processes, ownsGroup, refuse: (what, remedy) => denied(what, remedies[remedy]) });
  // It signals whatever process it is given, so that a debugger can be attached to it.
  replace(process, '_debugProcess', () => denied('process._debugProcess()', remedies.signal));
  syncBuiltinESMExports();
}
