// What an error of the engine or of the file system means to whoever waits for the store.
import { statfsSync } from 'node:fs';
import type { StoreFault } from '../../protocol/store/messages.ts';
import { UnusableStore } from './open-store.ts';

const mapFull = -30_792;
/** Of lmdb: a page that is not there, a page that is wrong, a version it does not know, a fatal error of before. */
const damage = new Set([-30_797, -30_796, -30_795, -30_793]);
const noRoom = new Set<unknown>([28, 122, 27, mapFull, 'ENOSPC', 'EDQUOT', 'EFBIG']);
const readOnly = new Set<unknown>([30, 13, 1, 'EROFS', 'EACCES', 'EPERM']);
const inputOutput = 5;
/** Less than this is no room: the engine reports a write that was cut short as an error of the disk. */
const leastFreeBytes = 1024 * 1024;

/** `neededBytes` is what was to be written. */
export function faultOfError(error: unknown, folder: string, neededBytes = 0): StoreFault {
  if (error instanceof UnusableStore) return error.fault;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const text = error instanceof Error ? error.message : String(error);
  if (noRoom.has(code) || (code === inputOutput && freeBytes(folder) < Math.max(leastFreeBytes, 2 * neededBytes))) {
    return {
      reason: 'full',
      message: 'The file system of the state folder has no space left.',
      details: { reason: 'disk_full' },
    };
  }
  if (readOnly.has(code))
    return { reason: 'read_only', message: `The store cannot be written: ${text}.`, details: { reason: 'read_only' } };
  if (typeof code === 'number' && damage.has(code))
    return { reason: 'damaged', message: `The store is damaged: ${text}.`, details: { reason: 'damaged' } };
  return {
    reason: 'io',
    message: `The disk of the state folder does not take what is written: ${text}.`,
    details: { reason: typeof code === 'string' ? code : 'io' },
  };
}

function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    // The folder is gone: that is no lack of room.
    return Number.POSITIVE_INFINITY;
  }
}
