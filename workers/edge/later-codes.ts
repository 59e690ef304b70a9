// Refusals that say nothing of the event: the same one may be accepted later.
import type { ErrorCode } from '../../protocol/errors.ts';

export const laterCodes: readonly ErrorCode[] = [
  'queue_full',
  'storage_full',
  'storage_failed',
  'too_many_requests',
  'service_stopped',
  'service_failed',
  'service_unavailable',
  'shutting_down',
];
