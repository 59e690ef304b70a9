// The storekeeper's faults as the errors that callers see, and the check of what is handed to the store.
import { type Change, mostKeyBytes, mostValueBytes, tableForm } from '../../protocol/store/change.ts';
import type { FaultReason, StoreFault } from '../../protocol/store/messages.ts';
import { type ErrorCode, HostError } from '../../protocol/errors.ts';

const codes: Readonly<Record<FaultReason, ErrorCode>> = {
  full: 'storage_full',
  io: 'storage_failed',
  read_only: 'storage_failed',
  damaged: 'storage_failed',
  newer_format: 'storage_failed',
  unavailable: 'storage_failed',
  invalid: 'invalid_request',
};

export function storeError({ reason, message, details = {} }: StoreFault): HostError {
  return new HostError(codes[reason], message, { reason, ...details });
}

/**
 * The bytes of all changes. Throws for what no table can hold: that is a fault of the caller's code, or a value that is
 * too large.
 */
export function checkedBytes(changes: readonly Change[]): number {
  let bytes = 0;
  for (const change of changes) {
    if (!tableForm.test(change.table)) throw new TypeError(`"${change.table}" is no name of a table`);
    if (change.op === 'removeRange') {
      bytes += change.from.length + change.to.length;
      continue;
    }
    const keyBytes = Buffer.byteLength(change.key);
    if (keyBytes === 0 || keyBytes > mostKeyBytes)
      throw new HostError(
        'payload_too_large',
        `A key of the table ${change.table} has ${String(keyBytes)} bytes; it must have 1 to ${String(mostKeyBytes)}.`,
        { limit: 'key', maximum: mostKeyBytes },
      );
    const valueBytes =
      change.op === 'remove'
        ? 0
        : typeof change.value === 'string'
          ? Buffer.byteLength(change.value)
          : change.value.byteLength;
    if (valueBytes > mostValueBytes)
      throw new HostError(
        'payload_too_large',
        `A value of the table ${change.table} has ${String(valueBytes)} bytes; the store takes at most ${String(mostValueBytes)}.`,
        { limit: 'value', maximum: mostValueBytes },
      );
    bytes += keyBytes + valueBytes;
  }
  return bytes;
}
