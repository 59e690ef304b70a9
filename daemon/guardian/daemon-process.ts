// The daemon as its guardian has it: a child in a process group of its own, with a channel to talk over, and the end of
// its standard error, where V8 and the system say why a process dies.
import { type ChildProcess, type SendHandle, spawn } from 'node:child_process';
import { writeOut } from './guardian-log.ts';
import type { BoundHandle } from './bound-handle.ts';
import { type FromDaemon, type FromGuardian, guardianVariable } from './wire.ts';

/**
 * What Node and the system's allocator read before the first line of the daemon runs. Node's pool is larger than one
 * plugin fills by accident; and large blocks that a thread frees go back to the system instead of staying in that
 * thread's arena.
 */
const daemonSettings = { UV_THREADPOOL_SIZE: '32', MALLOC_MMAP_THRESHOLD_: '524288' } as const;

export interface DaemonExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of its standard error. */
  readonly stderr: string;
  readonly atMs: number;
}

export interface DaemonProcessOptions {
  readonly args: readonly string[];
  /** Descriptors that the daemon finds at 5 and 6. */
  readonly account: number;
  readonly report: number;
  message(message: FromDaemon): void;
  /** Something was written to standard error past the daemon's log. */
  wrote(text: string): void;
  ended(exit: DaemonExit): void;
}

const keptStderr = 16 * 1024;
/**
 * What a process wrote before it died is there at once; its end waits no longer than this for the end of the stream.
 */
const lastWordsMs = 100;

export class DaemonProcess {
  readonly #child: ChildProcess;
  readonly #options: DaemonProcessOptions;
  #stderr = '';
  #over = false;

  constructor(options: DaemonProcessOptions) {
    this.#options = options;
    this.#child = spawn(process.execPath, [...process.execArgv, ...options.args], {
      // A group of its own: Ctrl-C reaches the guardian alone, which passes it on once.
      detached: true,
      env: { ...daemonSettings, ...process.env, [guardianVariable]: String(process.pid) },
      stdio: ['inherit', 'inherit', 'pipe', 'ipc', 2, options.account, options.report],
    });
    this.#child.on('message', (message) => options.message(message as FromDaemon));
    this.#child.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => this.#wrote(text))
      .on('error', () => undefined);
    this.#child.once('error', (error) => {
      // The daemon could not even be started.
      this.#stderr += error.message;
      if (this.#child.pid === undefined) this.#end(1, null);
    });
    this.#child.once('exit', (code, signal) => {
      const late = setTimeout(() => this.#end(code, signal), lastWordsMs);
      this.#child.once('close', () => {
        clearTimeout(late);
        this.#end(code, signal);
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: FromGuardian, handle?: BoundHandle): void {
    // Node takes raw handles as well, and `cluster` lives on it; its types know only servers and sockets.
    if (this.#child.connected)
      this.#child.send(message, handle as unknown as SendHandle, { keepOpen: true }, () => undefined);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #wrote(text: string): void {
    writeOut(text);
    this.#stderr = (this.#stderr + text).slice(-keptStderr);
    this.#options.wrote(text);
  }

  #end(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.ended({ code, signal, stderr: this.#stderr, atMs: performance.now() });
  }
}
