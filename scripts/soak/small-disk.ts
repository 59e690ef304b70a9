// A file system of a few megabytes that is filled to its last byte and emptied again. It takes a right to mount.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const size = '48m';
const blockBytes = 256 * 1024;
const leastBytes = 4096;

const mounted = (folder: string): boolean =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'nagaya-soak', folder]).status === 0;
const unmounted = (folder: string): boolean => spawnSync('umount', ['--lazy', folder]).status === 0;

/** Whether this user may mount one here. */
export function canMount(folder: string): boolean {
  mkdirSync(folder, { recursive: true });
  return process.platform === 'linux' && mounted(folder) && unmounted(folder);
}

export class SmallDisk {
  readonly #folder: string;
  readonly #ballast: string;
  #isOver = false;

  /** Throws where it cannot be mounted. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#ballast = join(folder, 'ballast');
    mkdirSync(folder, { recursive: true });
    if (!mounted(folder)) throw new Error('a small file system cannot be mounted here; that takes root');
  }

  /** Full for a while, at a moment and for a time that chance says; it may be full still when this returns. */
  async disturb(random: () => number): Promise<void> {
    for (let times = 1 + Math.floor(random() * 3); times > 0; times -= 1) {
      this.fill();
      await sleep(random() * 400);
      if (times === 1 && random() < 0.3) return;
      this.release();
      await sleep(random() * 400);
    }
  }

  fill(): void {
    const file = openSync(this.#ballast, 'a');
    try {
      for (let bytes = blockBytes; bytes >= leastBytes; bytes /= 2) writeWhile(file, bytes);
    } finally {
      closeSync(file);
    }
  }

  release(): void {
    rmSync(this.#ballast, { force: true });
  }

  end(): void {
    if (!this.#isOver) unmounted(this.#folder);
    this.#isOver = true;
  }
}

function writeWhile(file: number, bytes: number): void {
  const block = Buffer.alloc(bytes);
  try {
    while (writeSync(file, block) === bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    // It is full, but for less than a block.
  }
}
