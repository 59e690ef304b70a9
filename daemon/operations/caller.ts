// Who calls an operation, and what the operations look like from the wire's side. Control only translates: what an
// operation does stands in its handler.
import type { Audience } from '../../protocol/operation.ts';
import type { EncodedJson } from '../../protocol/json-rpc.ts';
import type { OperationName, OperationParams, OperationResult } from '../../protocol/operations.ts';
import type { ProgressNotification } from '../../protocol/operations/tool.ts';
import type { FeedFilter } from '../telemetry/feed.ts';
import type { Deferred } from './deferred.ts';
import type { Awaitable, WorkerListener, WorkerSubscription } from '../runtimes/runtime.ts';

/** Subscribes a listener to one worker. */
export type WorkerSource = (listener: Omit<WorkerListener, 'after'>) => Awaitable<WorkerSubscription>;

export interface Caller {
  /** Distinct for every connection of this daemon's life. */
  readonly id: string;
  readonly audience: Audience;
  /** Aborted when the connection is gone: what it waits for is no longer wanted. */
  readonly signal: AbortSignal;
  /** When the daemon read the request, on its clock: it may be handled later, behind others of its connection. */
  readonly arrivedMs: number;
  /** The member of the cluster that asks. */
  readonly member?: string;
  /** Throws `limit_too_large` at the bound, `unsupported_operation` where the transport cannot push. */
  subscribe(filter: FeedFilter): { readonly subscriptionId: string; readonly buffer: number };
  unsubscribe(subscriptionId: string): { readonly unsubscribed: boolean; readonly dropped: number };
  /** Only where the caller can be told how far a call has come before it is answered. */
  readonly tellProgress?: ((progress: ProgressNotification) => void) | undefined;
  /** Only where the answer is a stream: what the source tells goes into it, and what the operation answers does not. */
  readonly follow?: ((source: WorkerSource) => Promise<void>) | undefined;
}

export type Handlers = {
  readonly [Name in OperationName]: (
    params: OperationParams<Name>,
    caller: Caller,
  ) =>
    | OperationResult<Name>
    | EncodedJson
    | Promise<OperationResult<Name> | EncodedJson>
    | Deferred<OperationResult<Name> | EncodedJson>;
};
