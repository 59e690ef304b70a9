// A broker that a queue of the peers needs: found on the machine or not, started in a folder of its own, and ended.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Names the folder in which the peers' packages were installed: they are no dependencies, not even of the development.
 */
export const peersVariable = 'NAGAYA_BENCH_PEERS';

const readyMs = 10_000;
const endMs = 5000;

/** Undefined where the package is not in the folder that `NAGAYA_BENCH_PEERS` names. */
export function peerModule(name: string): string | undefined {
  const folder = process.env[peersVariable];
  if (folder === undefined || folder === '') return undefined;
  try {
    return createRequire(join(folder, 'package.json')).resolve(name);
  } catch {
    // It was not installed there.
    return undefined;
  }
}

export const hasProgram = (name: string): boolean => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0;

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

export class Broker {
  readonly folder = mkdtempSync(join(tmpdir(), 'nagaya-bench-broker-'));
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(program: string, args: (folder: string) => readonly string[]) {
    this.#child = spawn(program, args(this.folder), { stdio: 'ignore', cwd: this.folder });
    this.#ended = new Promise((resolve) => void this.#child.once('close', () => resolve()));
    this.#child.once('error', () => undefined); // it is seen as not ready
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Asks until `ready` does not throw. */
  async ready<Connection>(connect: () => Promise<Connection>): Promise<Connection> {
    for (const byMs = performance.now() + readyMs; ; await sleep(50)) {
      try {
        return await connect();
      } catch (error) {
        if (performance.now() > byMs) throw error;
      }
    }
  }

  async end(): Promise<void> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), endMs);
    await this.#ended;
    clearTimeout(timer);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
