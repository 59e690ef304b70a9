// A value with a checksum behind it. The engine has none: a page that a disk has lost or torn would be handed out as if
// it had been written. The checksum covers the key as well, so that a value that turns up under another key is found
// too.
import { crc32 } from 'node:zlib';
import type { StoredValue } from '../../protocol/store/change.ts';

const sealBytes = 4;

export function seal(key: string, value: StoredValue): Uint8Array {
  const length = typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength;
  const sealed = Buffer.allocUnsafe(length + sealBytes);
  if (typeof value === 'string') sealed.write(value);
  else sealed.set(value);
  sealed.writeUInt32LE(checksum(key, sealed.subarray(0, length)), length);
  return sealed;
}

/** The value in memory of its own; undefined where it is not what was sealed under this key. */
export function unseal(key: string, sealed: Uint8Array): Uint8Array | undefined {
  const length = sealed.byteLength - sealBytes;
  if (length < 0) return undefined;
  const value = new Uint8Array(length);
  value.set(sealed.subarray(0, length));
  const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  return checksum(key, value) === view.getUint32(length, true) ? value : undefined;
}

const checksum = (key: string, value: Uint8Array): number => crc32(value, crc32(key));
