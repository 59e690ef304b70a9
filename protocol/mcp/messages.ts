// What the host and its MCP thread say to each other. The thread parses what clients send and loads the SDK; the host
// owns the sockets, and the calls go to its operations.
import type { CallProgress } from '../cell/tool-messages.ts';

/** Of the tools that are workers and belong to no plugin. */
export const workerToolsOwner = 'nagaya';

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
  /** It answers in MCP's own form, whatever is in it. */
  readonly hosted?: boolean | undefined;
}

/** A tool of a hosted server, by the server's own name. */
export type ServerTool = Omit<OfferedTool, 'plugin' | 'tool' | 'hosted' | 'inputSchema' | 'outputSchema'> & {
  readonly inputSchema: Record<string, unknown>;
  readonly outputSchema: Record<string, unknown>;
};

/** What a hosted server says of itself. */
export interface ServerAbout {
  readonly protocolVersion: string;
  readonly name: string;
  readonly version: string;
  readonly capabilities: readonly string[];
}

export interface ServerOptions {
  readonly plugin: string;
  /** Reached over HTTP; a server without it is a process of the host's. */
  readonly remote?: { readonly url: string; readonly headers: readonly (readonly [string, string])[] } | undefined;
  /** One answer of a tool. */
  readonly outputBytes: number;
  /** For one page of the list of its tools. */
  readonly requestMs: number;
  /** For one request about its resources and prompts, which a client waits for. */
  readonly passOnMs: number;
  /** Resources and prompts are passed on to MCP clients. */
  readonly passOn: boolean;
}

export type ServerAnswer =
  | { readonly kind: 'result'; readonly json: string }
  /** The tool has failed in MCP's way; `result` is the whole answer. */
  | { readonly kind: 'toolError'; readonly text: string; readonly result: unknown }
  | { readonly kind: 'rpcError'; readonly number: number; readonly message: string }
  | { readonly kind: 'tooLarge'; readonly bytes: number };

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
  | {
      readonly type: 'open';
      readonly connection: number;
      /** The peer makes plain calls itself. */
      readonly callsItself: boolean;
    }
  | { readonly type: 'bytes'; readonly connection: number; readonly bytes: Uint8Array }
  /** The client has ended its side, and may still read. */
  | { readonly type: 'ended'; readonly connection: number }
  | { readonly type: 'gone'; readonly connection: number }
  | { readonly type: 'request'; readonly exchange: number; readonly request: HttpRequest }
  /** Nobody reads the answer any more. */
  | { readonly type: 'abandoned'; readonly exchange: number }
  | { readonly type: 'answer'; readonly call: number; readonly json: string }
  | { readonly type: 'refusal'; readonly call: number; readonly error: Refusal }
  | { readonly type: 'progress'; readonly call: number; readonly progress: CallProgress }
  /** A hosted server was started. */
  | { readonly type: 'serverOpen'; readonly server: number; readonly options: ServerOptions }
  | { readonly type: 'serverBytes'; readonly server: number; readonly bytes: Uint8Array }
  | { readonly type: 'serverGone'; readonly server: number }
  | {
      readonly type: 'serverCall';
      readonly server: number;
      readonly call: number;
      /** Of the request, where the host has written it to the server. */
      readonly id: number | undefined;
      readonly tool: string;
      readonly inputJson: string;
    }
  | { readonly type: 'serverCancel'; readonly server: number; readonly call: number; readonly reason: string };

/** An error as a client may see it. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly remedy: string;
  /** Of what was sent: everything that is wrong with it. */
  readonly issues?: readonly string[];
  /** The answer of a hosted server's tool that has failed, which is passed on as it is. */
  readonly result?: unknown;
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
  | { readonly type: 'cancel'; readonly call: number; readonly reason: string }
  | { readonly type: 'serverText'; readonly server: number; readonly text: string }
  | { readonly type: 'serverTaken'; readonly server: number; readonly bytes: number }
  | {
      readonly type: 'serverReady';
      readonly server: number;
      readonly about: ServerAbout;
      readonly tools: readonly ServerTool[];
    }
  | { readonly type: 'serverTools'; readonly server: number; readonly tools: readonly ServerTool[] }
  /** It cannot be used any more, or never could. */
  | { readonly type: 'serverFault'; readonly server: number; readonly message: string }
  | { readonly type: 'serverAnswer'; readonly server: number; readonly call: number; readonly answer: ServerAnswer }
  | { readonly type: 'serverProgress'; readonly server: number; readonly call: number; readonly progress: CallProgress }
  /** It has asked for something that hosted servers do not get. */
  | { readonly type: 'serverRefused'; readonly server: number; readonly method: string }
  | { readonly type: 'serverSaid'; readonly server: number; readonly level: 'info' | 'warn'; readonly text: string };
