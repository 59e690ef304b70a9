// One child process of the process pool as the daemon holds it: kept away from the daemon's own output, read no faster
// than a plugin may log, ended hard with all it started, and asked what it said last.
import type { Readable } from 'node:stream';
import { killTree } from '../cells/process-tree.ts';
import type { Clock } from '../clock.ts';
import type { TinypoolCell } from './tinypool-cell.ts';
import type { RunEnd } from './tool-pool.ts';

const tailLength = 4000;
const readPauseMs = 1000;
/** A child's output and last messages can come after its exit. */
const lastWordsMs = 200;

export class ChildCell {
  readonly worker: TinypoolCell;
  /** It has said its last word, and ends by itself. */
  doomed = false;
  readonly #clock: Clock;
  #stderrTail = '';
  #exit: { readonly code: number | null; readonly signal: string | null } | undefined;
  readonly #closed: Promise<void>;

  constructor(worker: TinypoolCell, clock: Clock, bytesPerSecond: number) {
    this.worker = worker;
    this.#clock = clock;
    const child = worker.process;
    this.#closed = new Promise((resolve) => child?.once('close', () => resolve()));
    child?.once('exit', (code, signal) => (this.#exit = { code, signal }));
    // Tinypool pipes both into the daemon's own output. What the bootstrap does not send as log lines went round it.
    if (child?.stdout) this.#read(child.stdout, bytesPerSecond, () => undefined);
    if (child?.stderr) {
      this.#read(child.stderr, bytesPerSecond, (text) => {
        this.#stderrTail = (this.#stderrTail + text).slice(-tailLength);
      });
    }
  }

  get pid(): number | undefined {
    return this.worker.process?.pid;
  }

  kill(): void {
    if (this.#exit === undefined && this.pid !== undefined) killTree(this.pid);
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
    const { code, signal } = this.#exit ?? { code: null, signal: null };
    const outOfMemory = this.#stderrTail.includes('heap out of memory');
    const how = signal === null ? `with exit code ${String(code)}` : `by ${signal}`;
    const tail = this.#stderrTail.trim();
    return {
      kind: 'crashed',
      reason: outOfMemory ? 'out_of_memory' : 'ended',
      error: { name: 'CellEnded', message: outOfMemory ? 'the tool\'s process ran out of memory' : `the tool's process ended ${how}`, ...(tail === '' ? {} : { stack: tail }) },
      ...(code === null ? {} : { exitCode: code }),
      ...(signal === null ? {} : { signal }),
    };
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
