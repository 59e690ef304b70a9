// The operating system's number of this thread, so that the host can see from outside whether it runs.
import { readlinkSync } from 'node:fs';

/** 0 where it is not to be had: not on Linux, or kept from the file system by the permission model. */
export function osThread(): number {
  try {
    return Number(/\d+$/.exec(readlinkSync('/proc/thread-self'))?.[0] ?? 0);
  } catch {
    return 0;
  }
}
