// Why a runtime of a daemon outside the cluster does not answer, beside `runtime_unavailable`: the network, the token,
// or the time.
import type { ErrorCode } from '../errors.ts';

export const remoteErrors = [
  'runtime_unreachable',
  'runtime_unauthorized',
  'runtime_timeout',
] as const satisfies readonly ErrorCode[];
