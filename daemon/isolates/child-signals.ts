// Signals to the process group of a cell: what the plugin has started ends with it.

/** Quietly: a group that is gone needs no signal. */
export function signalGroup(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody of the group is left.
  }
}
