// A process of the suite, free or pinned to one core, that is asked to do things and answers. Each variant has its own,
// so that none is measured on what the engine learnt from another.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { Answer, Request } from './attendant.ts';
import { program } from './place.ts';
import { type Cpu, cpuOf } from './processor.ts';
import type { Placement } from './subject.ts';

const answerMs = 120_000;
const endMs = 5000;

interface Asked {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Programs are pinned by taskset, where there is one. */
export const canPin = (): boolean =>
  process.platform === 'linux' && spawnSync('taskset', ['-c', '0', 'true']).status === 0;

export function commandLine(placement: Placement, args: readonly string[]): readonly [command: string, args: string[]] {
  const node = [process.execPath, ...args];
  const [first = process.execPath, ...rest] = placement === 'one core' ? ['taskset', '-c', '0', ...node] : node;
  return [first, rest];
}

export class Station {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #asked = new Map<number, Asked>();
  readonly #ended: Promise<void>;
  #nextId = 1;

  private constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
    child.on('message', (answer: Answer) => this.#take(answer));
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        for (const { reject } of this.#asked.values())
          reject(new Error(`${name} ended with ${String(code ?? signal)}`));
        this.#asked.clear();
        resolve();
      });
    });
  }

  static start(name: string, placement: Placement, args: readonly string[] = []): Promise<Station> {
    const [first, rest] = commandLine(placement, [program(name), ...args]);
    const child = spawn(first, rest, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => resolve(new Station([name, ...args].join(' '), child)));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get cpu(): Cpu {
    return cpuOf(this.pid);
  }

  /** The caller knows what the duty answers. */
  async ask<Value>(duty: string, params: unknown = {}, withinMs = answerMs): Promise<Value> {
    const id = this.#nextId++;
    let timer: NodeJS.Timeout | undefined;
    try {
      const answer = await new Promise<unknown>((resolve, reject) => {
        timer = setTimeout(
          () => reject(new Error(`${this.#name} did not answer ${duty} within ${String(withinMs)} ms`)),
          withinMs,
        );
        this.#asked.set(id, { resolve, reject });
        this.#child.send({ id, duty, params } satisfies Request);
      });
      return answer as Value;
    } finally {
      clearTimeout(timer);
      this.#asked.delete(id);
    }
  }

  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), endMs);
    await this.#ended;
    clearTimeout(timer);
  }

  #take({ id, value, fault }: Answer): void {
    if (fault === undefined) this.#asked.get(id)?.resolve(value);
    else this.#asked.get(id)?.reject(new Error(`${this.#name}: ${fault}`));
  }
}
