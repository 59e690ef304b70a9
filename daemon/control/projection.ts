// What a listener's callers get to see of an answer. The unix socket's see all of it: whoever can open the socket can
// read the daemon's files as well.
import type { HostError } from '../../protocol/errors.ts';
import { EncodedJson } from '../../protocol/json-rpc.ts';
import type { Operation } from '../../protocol/operation.ts';
import type { WorkerEvent } from '../../protocol/runtime.ts';

export interface Projection {
  result(row: Operation, result: unknown): unknown;
  event(event: WorkerEvent): EncodedJson;
  error(error: HostError): HostError;
}

/** Who follows a worker is told each event in turn with the others: for all of them it is put together once. */
export function encodedOnce(project: (event: WorkerEvent) => WorkerEvent): (event: WorkerEvent) => EncodedJson {
  let last: { readonly event: WorkerEvent; readonly encoded: EncodedJson } | undefined;
  return (event) => {
    if (last?.event !== event) last = { event, encoded: new EncodedJson(JSON.stringify(project(event))) };
    return last.encoded;
  };
}

export const unprojected: Projection = {
  result: (_row, result) => result,
  event: encodedOnce((event) => event),
  error: (error) => error,
};
