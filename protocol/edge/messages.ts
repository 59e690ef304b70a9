// What the host and the edge's thread tell each other. Both sides are this program's own; what the network sent is
// text here, and has been parsed and bounded by the edge.
import type { OutputJson } from '../cell/messages.ts';
import type { ErrorCode } from '../errors.ts';
import type { CredentialName, Source } from '../sources.ts';

export type SourceState = 'open' | 'connecting' | 'retrying' | 'paused' | 'faulty';

/** Sources that the edge runs; schedules are the host's own. */
export type EdgeDeclaration = Exclude<Source, { readonly type: 'schedule' }>;

export interface EdgeSource {
  readonly key: string;
  readonly plugin: string;
  readonly name: string;
  /** As declared, with the operator's overrides. */
  readonly declaration: EdgeDeclaration;
  /** What its ingress takes. */
  readonly kinds: readonly string[];
  /** Where relative paths begin. */
  readonly folder: string;
  /** What a plugin under permissions may read beside its own folder; undefined: whatever the daemon may. */
  readonly readable?: readonly string[] | undefined;
  readonly paused: boolean;
  /** Another number: somebody asks that what failed is tried again now. */
  readonly asked: number;
  /** Its service takes events. */
  readonly accepting: boolean;
}

export interface WebhookListenerBounds {
  readonly connections: number;
  readonly headerBytes: number;
  readonly bodyBytes: number;
  readonly bodiesBytes: number;
  readonly pending: number;
  readonly requestMs: number;
  readonly idleMs: number;
}

export interface EdgeData {
  readonly eventBytes: number;
  readonly nesting: number;
  /** Events that wait for the host's answer. */
  readonly inFlight: number;
  /** The configuration opens a port for webhooks. */
  readonly webhooks: boolean;
}

export interface ListenOrder {
  readonly host: string;
  readonly port: number;
  /** A socket that somebody else has bound. */
  readonly fd?: number;
  readonly bounds: WebhookListenerBounds;
}

/** One attempt to deliver a command to an output that the edge serves. */
export type EdgeCommand = HttpCommand | WebsocketCommand | MqttCommand;

interface AnyCommand {
  /** JSON. */
  readonly json: string;
  readonly idempotencyKey: string;
}

export interface HttpCommand extends AnyCommand {
  readonly to: 'http';
  /** As the output declares it. */
  readonly url: string;
  readonly method: 'POST' | 'PUT' | 'PATCH';
  readonly auth: HttpAuth | undefined;
  readonly timeoutMs: number;
  /** Below the URL. */
  readonly path: string | undefined;
}

export interface HttpAuth {
  readonly header: string;
  readonly prefix: string;
  readonly env: CredentialName;
}

export interface WebsocketCommand extends AnyCommand {
  readonly to: 'websocket';
  /** Of the source whose peer gets it. */
  readonly key: string;
}

export interface MqttCommand extends AnyCommand {
  readonly to: 'mqtt';
  /** As the output declares it, and all below. */
  readonly url: string;
  readonly auth: { readonly username?: string | undefined; readonly env: CredentialName } | undefined;
  readonly version: '5' | '3.1.1';
  readonly clientId: string | undefined;
  readonly topic: string;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly timeoutMs: number;
  /** Below the topic. */
  readonly below: string | undefined;
}

export type CommandAnswer =
  | { readonly is: 'sent' }
  | {
      readonly is: 'retry' | 'refused';
      readonly code:
        'output_unreachable' | 'output_refused' | 'credential_missing' | 'package_missing' | 'invalid_request';
      readonly message: string;
      readonly afterMs?: number;
    };

export interface NumberedCommand {
  readonly id: number;
  readonly command: EdgeCommand;
}

export interface NumberedAnswer {
  readonly id: number;
  readonly answer: CommandAnswer;
}

/** What a source keeps over restarts of the daemon. */
export type MemoryEntry = readonly [name: string, value: string];
/** Null takes the entry away. */
export type MemoryChange = readonly [name: string, value: string | null];

export type ToEdge =
  | { readonly type: 'commands'; readonly commands: readonly NumberedCommand[] }
  /** The whole list: a source that is not in it ends. One whose declaration is the same goes on as it is. */
  | { readonly type: 'sources'; readonly sources: readonly EdgeSource[] }
  | { readonly type: 'listen'; readonly order: ListenOrder }
  | { readonly type: 'answers'; readonly answers: readonly EdgeAnswer[] }
  /** Answers `recall`. */
  | { readonly type: 'recalled'; readonly key: string; readonly entries: readonly MemoryEntry[] }
  /** Credentials are to be read again. */
  | { readonly type: 'reread' }
  /** Answered with reports of all that has changed: that it is answered at all shows that the thread works. */
  | { readonly type: 'look'; readonly id: number }
  | { readonly type: 'close' };

/** An event on its way to a service. */
export interface EdgeEvent {
  readonly id: number;
  readonly key: string;
  readonly kind: string;
  /** Who sent it, in the form of an identifier. */
  readonly source: string;
  /** JSON. */
  readonly payload: string;
  /** What comes twice under the same id is accepted once. */
  readonly senderId?: string;
  /** The sender's own id for it, in the form of an identifier. */
  readonly correlationId?: string;
  /** Events with the same are handled in order where the members of a cluster share the service. */
  readonly orderKey?: string;
  /** The handler's output is wanted, within this. */
  readonly outputMs?: number;
  /** It waits for room in a full queue in place of being refused. */
  readonly patient?: boolean;
}

export type EdgeAnswer =
  | { readonly id: number; readonly outcome: 'accepted'; readonly correlationId: string; readonly duplicate: boolean }
  | { readonly id: number; readonly outcome: 'output'; readonly json: OutputJson }
  | {
      readonly id: number;
      readonly outcome: 'refused';
      readonly code: ErrorCode;
      /** For the operator: the sender is told the registry's words. */
      readonly message: string;
      readonly retryAfterMs?: number;
    };

export interface SourceFault {
  readonly code: string;
  readonly message: string;
  readonly atMs: number;
}

export interface SourceCounters {
  readonly received: number;
  readonly accepted: number;
  readonly duplicates: number;
  readonly refused: number;
  readonly ignored: number;
  readonly reconnects: number;
}

/** All that the edge knows of one source since its thread began. */
export interface SourceReport {
  readonly key: string;
  readonly state: SourceState;
  readonly sinceMs: number;
  readonly lastEventMs: number | undefined;
  readonly lastError: SourceFault | undefined;
  readonly counters: SourceCounters;
}

export type FromEdge =
  | { readonly type: 'commandAnswers'; readonly answers: readonly NumberedAnswer[] }
  | { readonly type: 'events'; readonly events: readonly EdgeEvent[] }
  | { readonly type: 'reports'; readonly reports: readonly SourceReport[]; readonly look?: number }
  | { readonly type: 'recall'; readonly key: string }
  | { readonly type: 'remember'; readonly key: string; readonly changes: readonly MemoryChange[] }
  | { readonly type: 'listening'; readonly host: string; readonly port: number }
  | { readonly type: 'unlistenable'; readonly reason: string };
