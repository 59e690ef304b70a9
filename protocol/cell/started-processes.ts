// Ends what a process has started, wherever in the tree below it: daemon and cells do it alike. It does no I/O by
// itself: whoever uses it hands in the system's functions, a cell those it took before its plugin could patch them.

export interface ProcessTable {
  readdir(path: string): readonly string[];
  readText(path: string): string;
  kill(pid: number, signal: 'SIGSTOP' | 'SIGKILL'): void;
}

/** A plugin that starts more than this is not followed further. */
const maxProcesses = 1000;

export class StartedProcesses {
  readonly #table: ProcessTable;

  constructor(table: ProcessTable) {
    this.#table = table;
  }

  /** Children and theirs, oldest first. */
  below(pid: number): number[] {
    const found = new Set<number>();
    this.#collect(this.by(pid), found, () => {});
    return [...found];
  }

  /** Children of a process, or of the asking one. */
  by(pid: number | 'self'): number[] {
    const threads = `/proc/${String(pid)}/task`;
    try {
      return this.#table.readdir(threads).flatMap((thread) => this.#childrenIn(`${threads}/${thread}`));
    } catch {
      // No /proc here, not to be read under the permission model, or the process is gone: there is nobody to find.
      return [];
    }
  }

  /** Children of one thread of the asking process, as long as it lives; by the system's number of it. */
  byThread(osThread: number): number[] {
    return this.#childrenIn(`/proc/self/task/${String(osThread)}`);
  }

  /**
   * The roots and all below them. Each is stopped before its children are looked up: so none starts another, and no pid
   * can come to mean a stranger. The roots are asked for until nobody new is found, because who starts them may go on
   * meanwhile.
   */
  end(roots: () => readonly number[]): void {
    const found = new Set<number>();
    let known = -1;
    while (found.size > known && found.size < maxProcesses) {
      known = found.size;
      this.#collect(roots(), found, (pid) => this.#send(pid, 'SIGSTOP'));
    }
    for (const pid of found) this.#send(pid, 'SIGKILL');
  }

  #collect(from: readonly number[], found: Set<number>, meet: (pid: number) => void): void {
    const waiting = [...from];
    for (let at = 0; at < waiting.length && found.size < maxProcesses; at += 1) {
      const pid = waiting[at];
      if (pid === undefined || found.has(pid)) continue;
      found.add(pid);
      meet(pid);
      waiting.push(...this.by(pid));
    }
  }

  #childrenIn(task: string): number[] {
    try {
      return this.#table
        .readText(`${task}/children`)
        .split(' ')
        .map(Number)
        .filter((pid) => pid > 0);
    } catch {
      // This thread has ended meanwhile; what the others have started is still to be found.
      return [];
    }
  }

  #send(pid: number, signal: 'SIGSTOP' | 'SIGKILL'): void {
    try {
      this.#table.kill(pid, signal);
    } catch {
      // It has ended by itself in the meantime.
    }
  }
}
