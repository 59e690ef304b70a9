// What the host and the thread of remote daemons tell each other. Both sides are this program's own; what came from the
// network has been parsed, bounded and checked by the thread.
import type { ErrorCode } from '../errors.ts';

/** A daemon outside the cluster, and which of its runtimes is one of this daemon's. */
export interface RemoteDaemon {
  /** By which the runtime is known here. */
  readonly id: string;
  readonly url: string;
  readonly tokenFile: string;
  /** The id that the runtime has there. */
  readonly runtime: string;
}

/** The part of JSON Schema that the results of operations are described with. */
export interface Shape {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly oneOf?: readonly Shape[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
}

/** An operation as it is asked of a remote daemon. */
export interface RemoteRow {
  readonly method: string;
  readonly path: string;
  readonly errors: readonly ErrorCode[];
  readonly result: Shape;
}

export type RemoteRows = Readonly<Record<RemoteOperation, RemoteRow>>;

export interface RemoteData {
  readonly rows: RemoteRows;
  /** Of one event of a worker. */
  readonly event: Shape;
  readonly daemons: readonly RemoteDaemon[];
  /** Of one answer. */
  readonly answerBytes: number;
  /** Of the JSON of an answer. */
  readonly nesting: number;
  /** How long a daemon may take to begin a stream of events. */
  readonly answerMs: number;
}

export type RemoteOperation =
  | 'runtime.show'
  | 'worker.list'
  | 'worker.show'
  | 'worker.create'
  | 'worker.input'
  | 'worker.stop'
  | 'worker.cancel'
  | 'worker.transcript'
  | 'worker.events';

export type RemoteAnswer =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: Readonly<Record<string, unknown>>;
    };

export interface RemoteAsk {
  readonly id: number;
  /** The id of the runtime. */
  readonly daemon: string;
  readonly operation: RemoteOperation;
  readonly params: Readonly<Record<string, unknown>>;
  readonly timeoutMs: number;
}

export type ToRemote =
  | ({ readonly type: 'ask' } & RemoteAsk)
  | { readonly type: 'cancel'; readonly id: number }
  /** The files with the tokens may hold others by now. */
  | { readonly type: 'reread' }
  | { readonly type: 'look'; readonly id: number }
  | { readonly type: 'close' };

export interface NumberedAnswer {
  /** Of the question. */
  readonly id: number;
  readonly answer: RemoteAnswer;
}

export type FromRemote =
  | { readonly type: 'answered'; readonly answers: readonly NumberedAnswer[] }
  | { readonly type: 'looked'; readonly look: number };
