// How the end of a thread or process that ran tools is told, the same for every kind of pool.
import { type PlainError, flattenError, messageWithCauses } from '../../../protocol/cell/plain-error.ts';
import { HostError } from '../../../protocol/errors.ts';
import type { RunEnd } from './tool-pool.ts';

/** By the error with which the pool reported it. */
export function threadEnd(thrown: unknown): RunEnd {
  const error = flattenError(thrown);
  return { kind: 'crashed', reason: error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'out_of_memory' : 'ended', error };
}

/** A cell that is still busy with what an earlier call left running does not get to the next one. */
export const stalled: RunEnd = {
  kind: 'lost',
  error: { name: 'Stalled', message: 'the cell did not begin the call: it is busy with something else' },
};

/** A crash while no call was running: a throw or rejection after an answer. */
export function strayCrash(reason: string, cause: PlainError): HostError {
  return new HostError(
    'tool_crashed',
    `A cell of the plugin's tools ended after its call had been answered: ${messageWithCauses(cause)}`,
    { reason, cause },
  );
}
