// What a listener's callers get to see of an answer. The unix socket's see all of it: whoever can open the socket can
// read the daemon's files as well.
import type { HostError } from '../../protocol/errors.ts';
import type { Operation } from '../../protocol/operation.ts';
import type { WorkerEvent } from '../../protocol/runtime.ts';

export interface Projection {
  result(row: Operation, result: unknown): unknown;
  event(event: WorkerEvent): WorkerEvent;
  error(error: HostError): HostError;
}

export const unprojected: Projection = {
  result: (_row, result) => result,
  event: (event) => event,
  error: (error) => error,
};
