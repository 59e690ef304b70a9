// What the host and its MCP thread say to each other. The thread parses what clients send and loads the SDK; the host
// owns the sockets, and the calls go to its operations.
import type { CallProgress } from '../cell/tool-messages.ts';

/** As a manifest tells it. */
export interface ToolAnnotations {
  readonly readOnly?: boolean | undefined;
  readonly destructive?: boolean | undefined;
  readonly idempotent?: boolean | undefined;
  readonly openWorld?: boolean | undefined;
}

/** One tool as clients see it; schemas are passed on as they are. */
export interface OfferedTool {
  readonly name: string;
  readonly plugin: string;
  readonly tool: string;
  readonly title?: string | undefined;
  readonly description: string;
  readonly inputSchema: unknown;
  readonly outputSchema: unknown;
  readonly annotations?: ToolAnnotations | undefined;
}

/** What the thread is started with. */
export interface McpThreadOptions {
  readonly version: string;
  readonly lineBytes: number;
  readonly nesting: number;
  readonly pendingCalls: number;
  readonly pageSize: number;
  readonly sessions: number;
  readonly sessionIdleMs: number;
  /** How long answers may take that are pending when a client has ended its side. */
  readonly lingerMs: number;
}

export interface HttpRequest {
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array | undefined;
}

export type ToMcpThread =
  | { readonly type: 'offer'; readonly tools: readonly OfferedTool[] }
  /** A client that sends frames in lines. */
  | { readonly type: 'open'; readonly connection: number }
  | { readonly type: 'bytes'; readonly connection: number; readonly bytes: Uint8Array }
  /** The client has ended its side, and may still read. */
  | { readonly type: 'ended'; readonly connection: number }
  | { readonly type: 'gone'; readonly connection: number }
  | { readonly type: 'request'; readonly exchange: number; readonly request: HttpRequest }
  /** Nobody reads the answer any more. */
  | { readonly type: 'abandoned'; readonly exchange: number }
  | { readonly type: 'answer'; readonly call: number; readonly json: string }
  | { readonly type: 'refusal'; readonly call: number; readonly error: Refusal }
  | { readonly type: 'progress'; readonly call: number; readonly progress: CallProgress };

/** An error as a client may see it. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly remedy: string;
  /** Of what was sent: everything that is wrong with it. */
  readonly issues?: readonly string[];
}

export type FromMcpThread =
  | { readonly type: 'ready' }
  | { readonly type: 'write'; readonly connection: number; readonly text: string }
  /** So many bytes of the client were taken: as many more may be sent. */
  | { readonly type: 'taken'; readonly connection: number; readonly bytes: number }
  | { readonly type: 'close'; readonly connection: number }
  | {
      readonly type: 'head';
      readonly exchange: number;
      readonly status: number;
      readonly headers: readonly (readonly [string, string])[];
    }
  | { readonly type: 'chunk'; readonly exchange: number; readonly bytes: Uint8Array }
  | { readonly type: 'finished'; readonly exchange: number }
  | {
      readonly type: 'call';
      readonly call: number;
      readonly plugin: string;
      readonly tool: string;
      readonly inputJson: string;
      readonly progress: boolean;
    }
  | { readonly type: 'cancel'; readonly call: number; readonly reason: string };
