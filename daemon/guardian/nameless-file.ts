// A file without a name: two processes have it open, it is gone when both are, and no other user and no later program
// can find what it holds. In memory where the system has a place for that.
import { fstatSync, ftruncateSync, openSync, readSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';

export class NamelessFile {
  readonly descriptor: number;

  constructor() {
    this.descriptor = open();
  }

  clear(): void {
    ftruncateSync(this.descriptor, 0);
  }

  /** Up to so many bytes from its beginning. */
  read(maxBytes: number): Buffer {
    const bytes = Buffer.alloc(Math.min(maxBytes, fstatSync(this.descriptor).size));
    return bytes.subarray(0, readSync(this.descriptor, bytes, 0, bytes.length, 0));
  }
}

function open(): number {
  const { XDG_RUNTIME_DIR: own } = process.env;
  for (const folder of [...(own === undefined || own === '' ? [] : [own]), '/dev/shm', tmpdir()]) {
    try {
      const path = join(folder, `.nagaya-${randomUUID()}`);
      const descriptor = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
      return descriptor;
    } catch {
      // Not there, or not ours to write: the next one is tried.
    }
  }
  return openSync('/dev/null', 'r+');
}
