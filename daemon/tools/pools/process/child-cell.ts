// The child process of one call as the daemon holds it: kept away from the daemon's own output, read no faster than a
// plugin may log, held to the plugin's bounds, asked where it is and what it said last, and ended hard with all that it
// has started.
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { PlainError } from '../../../../protocol/cell/plain-error.ts';
import { type ChildExit, ranOutOfMemory } from '../../../isolates/child-exit.ts';
import { ProcessVitals, type VitalsReason } from '../../../isolates/process-vitals.ts';
import { killTree } from '../../../isolates/process-tree.ts';
import { locateProcess } from '../../../isolates/stack-capture.ts';
import { WatchLine, closedLineMs } from '../../../isolates/watch-line.ts';
import type { Whereabouts } from '../../../isolates/whereabouts.ts';
import type { Clock } from '../../../time/clock.ts';
import { stdinLine } from '../tinypool-cell.ts';
import type { PoolSpec, RunEnd } from '../tool-pool.ts';

const tailLength = 4000;
const readPauseMs = 1000;
/** A child's output and last messages can come after its exit. */
const lastWordsMs = 200;

export class ChildCell {
  readonly #child: ChildProcess;
  readonly #spec: PoolSpec;
  readonly #clock: Clock;
  readonly #watch: WatchLine | undefined;
  readonly #vitals: ProcessVitals | undefined;
  #closedLine = false;
  #stderrTail = '';
  #exit: ChildExit | undefined;
  readonly #closed: Promise<void>;

  /** `overstepped`: it passed a bound, and is to be ended for it. */
  constructor(child: ChildProcess, spec: PoolSpec, overstepped: (reason: VitalsReason, error: PlainError) => void) {
    this.#child = child;
    this.#spec = spec;
    this.#clock = spec.clock;
    const { logBytesPerSecond: bytesPerSecond, plugin } = spec.cell;
    const line = stdinLine(child);
    this.#watch = line === undefined ? undefined : new WatchLine(line, () => this.#lineClosed());
    if (child.pid !== undefined) {
      this.#record(child.pid, plugin.id);
      // A call that does not turn its event loop has a deadline.
      this.#vitals = new ProcessVitals(child.pid, { plugin: plugin.id, part: 'tools' }, spec, {
        idle: () => false,
        overstepped,
      });
    }
    this.#closed = new Promise((resolve) => child.once('close', () => resolve()));
    child.once('exit', (code, signal) => {
      this.#exit = { code, signal };
      this.#vitals?.ended();
      this.#watch?.close();
    });
    // Tinypool pipes both into the daemon's own output. What the bootstrap does not send as log lines went round it.
    if (child.stdout) this.#read(child.stdout, bytesPerSecond, () => undefined);
    if (child.stderr) {
      this.#read(child.stderr, bytesPerSecond, (text) => {
        this.#stderrTail = (this.#stderrTail + text).slice(-tailLength);
      });
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  kill(): void {
    this.#vitals?.stop();
    if (this.#exit === undefined && this.pid !== undefined) killTree(this.pid);
  }

  /** Where the plugin's code is in it right now. Never rejects. */
  locate(withinMs: number): Promise<Whereabouts> {
    const { folder, execArgv } = this.#spec;
    return locateProcess({ watch: this.#watch, pid: this.pid, restricted: execArgv.length > 0 }, folder, withinMs);
  }

  /** How it ended, once its last words had time to arrive. */
  async end(): Promise<Extract<RunEnd, { kind: 'crashed' }>> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(lastWordsMs, resolve);
      void this.#closed.then(() => {
        timer.cancel();
        resolve();
      });
    });
    const exit = this.#exit ?? { code: null, signal: null };
    const { code, signal } = exit;
    const outOfMemory = ranOutOfMemory(exit, this.#stderrTail);
    const how = this.#closedLine
      ? 'after it had closed its line to the daemon'
      : signal === null
        ? `with exit code ${String(code)}`
        : `by ${signal}`;
    const tail = this.#stderrTail.trim();
    return {
      kind: 'crashed',
      reason: outOfMemory ? 'out_of_memory' : 'ended',
      error: {
        name: 'CellEnded',
        message: outOfMemory ? "the tool's process ran out of memory" : `the tool's process ended ${how}`,
        ...(tail === '' ? {} : { stack: tail }),
      },
      ...(code === null ? {} : { exitCode: code }),
      ...(signal === null ? {} : { signal }),
    };
  }

  #record(pid: number, name: string): void {
    const { records } = this.#spec;
    records?.add(pid, name);
    this.#child.once('exit', () => records?.remove(pid));
  }

  /**
   * On the way to its end, or the plugin has closed what is not its own: no longer watched, it could outlive the
   * daemon.
   */
  #lineClosed(): void {
    if (this.#exit !== undefined) return;
    this.#clock.after(closedLineMs, () => {
      // An end that has come meanwhile is told first.
      setImmediate(() => {
        this.#closedLine = this.#exit === undefined;
        this.kill();
      });
    });
  }

  /** A child that floods is held up by its own pipe, not the daemon by the flood. */
  #read(stream: Readable, bytesPerSecond: number, take: (text: string) => void): void {
    stream.unpipe();
    let left = bytesPerSecond;
    stream.on('data', (chunk: Buffer) => {
      take(chunk.toString('utf8'));
      left -= chunk.length;
      if (left > 0) return;
      stream.pause();
      this.#clock.after(readPauseMs, () => {
        left = bytesPerSecond;
        stream.resume();
      });
    });
  }
}
