// A real process that starts a control server, driven line by line.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

export interface Saying {
  readonly ready?: number;
  readonly listening?: number;
  readonly code?: string;
  readonly details?: Record<string, unknown>;
  readonly unexpected?: string;
}

export class StarterProcess {
  readonly pid: number;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  }

  /** Ready to listen, and not yet listening. */
  static async spawn(t: TestContext, socket: string): Promise<StarterProcess> {
    const script = fileURLToPath(new URL('../fixtures/control-starter.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', script, socket], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    child.stdin.on('error', () => {});
    const starter = new StarterProcess(child);
    await starter.#said();
    return starter;
  }

  listen(): Promise<Saying> {
    this.#child.stdin.write('listen\n');
    return this.#said();
  }

  /** Gone without having tidied up; `close` gone after it did. */
  async end(how: 'die' | 'close'): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.stdin.write(`${how}\n`);
    await exited;
  }

  async #said(): Promise<Saying> {
    const next = await this.#lines.next();
    if (next.done === true) throw new Error('the starter ended without a word');
    return JSON.parse(next.value) as Saying;
  }
}
