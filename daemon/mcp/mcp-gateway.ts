// The host's side of MCP: passes bytes between clients and the MCP thread, and the calls that the thread asks for to
// the tools. It parses nothing of what a client sends.
import type { CallProgress } from '../../protocol/cell/tool-messages.ts';
import type { HostError } from '../../protocol/errors.ts';
import type {
  FromMcpThread,
  HttpRequest,
  McpThreadOptions,
  OfferedTool,
  ServerAbout,
  ServerAnswer,
  ServerOptions,
  ServerTool,
  ToMcpThread,
} from '../../protocol/mcp/messages.ts';
import { refusalOf } from '../../protocol/mcp/refusal.ts';
import { callLine, hostsId } from '../../protocol/mcp/server-call.ts';
import { type McpThread, type SpawnMcpThread, spawnMcpThread } from './mcp-thread.ts';

/** A client that sends frames in lines. */
export interface LineClient {
  write(text: string): void;
  /** So many of the bytes it has sent were taken. */
  taken(bytes: number): void;
  close(): void;
}

/** Who reads the answer to one HTTP request. */
export interface HttpClient {
  head(status: number, headers: readonly (readonly [string, string])[]): void;
  chunk(bytes: Uint8Array): void;
  /** Without a head before it where there is no answer. */
  finished(): void;
}

export interface McpCall {
  readonly plugin: string;
  readonly tool: string;
  readonly inputJson: string;
  /** No other call has it. */
  readonly controller: AbortController;
}

export interface McpCallWaiter {
  succeeded(outputJson: string): void;
  failed(error: HostError): void;
  progressed?: (progress: CallProgress) => void;
}

export interface McpTools {
  /** What clients are offered, by the names they know it by. */
  offered(): readonly OfferedTool[];
  /** Never throws. */
  call(call: McpCall, waiter: McpCallWaiter): void;
}

export interface McpGatewayOptions {
  readonly thread: McpThreadOptions;
  readonly tools: McpTools;
  readonly log: { warn(fields: object, message: string): void };
  readonly spawn?: SpawnMcpThread;
}

/** Who runs a hosted server. */
export interface ServerListener {
  /** To be written to the server. */
  text(text: string): void;
  taken(bytes: number): void;
  ready(about: ServerAbout, tools: readonly ServerTool[]): void;
  tools(tools: readonly ServerTool[]): void;
  /** Nothing more is to be had of it. */
  fault(message: string): void;
  answer(call: number, answer: ServerAnswer): void;
  progressed(call: number, progress: CallProgress): void;
  refused(method: string): void;
  said(level: 'info' | 'warn', text: string): void;
}

export interface OpenServer {
  push(bytes: Uint8Array): void;
  call(call: number, tool: string, inputJson: string): void;
  cancel(call: number, reason: string): void;
  gone(): void;
}

/** Calls of an MCP client that do not come by way of the thread. */
export interface PendingCalls {
  readonly pending: number;
}

export interface McpCounts {
  readonly connections: number;
  readonly requests: number;
  readonly calls: number;
  readonly servers: number;
  /** The thread exists. */
  readonly running: boolean;
}

export class McpGateway {
  readonly #options: McpGatewayOptions;
  #thread: McpThread | undefined;
  readonly #lines = new Map<number, LineClient>();
  readonly #exchanges = new Map<number, HttpClient>();
  readonly #calls = new Map<number, AbortController>();
  readonly #servers = new Map<number, ServerListener>();
  readonly #callers = new Set<PendingCalls>();
  readonly #spare: AbortController[] = [];
  #nextId = 1;
  #closed = false;

  constructor(options: McpGatewayOptions) {
    this.#options = options;
  }

  counts(): McpCounts {
    return {
      connections: this.#lines.size,
      requests: this.#exchanges.size,
      calls: [...this.#callers].reduce((sum, { pending }) => sum + pending, this.#calls.size),
      servers: this.#servers.size,
      running: this.#thread !== undefined,
    };
  }

  /** `callsItself`: it makes plain calls itself. */
  openLines(client: LineClient, callsItself: boolean): { push(bytes: Uint8Array): void; ended(): void; gone(): void } {
    const connection = this.#nextId++;
    const thread = this.#running();
    this.#lines.set(connection, client);
    thread.post({ type: 'open', connection, callsItself });
    // Of a thread that has ended meanwhile, nobody hears.
    return {
      push: (bytes) => thread.post({ type: 'bytes', connection, bytes }),
      ended: () => thread.post({ type: 'ended', connection }),
      gone: () => {
        if (this.#lines.delete(connection)) thread.post({ type: 'gone', connection });
      },
    };
  }

  openExchange(request: HttpRequest, client: HttpClient): { abandoned(): void } {
    const exchange = this.#nextId++;
    const thread = this.#running();
    this.#exchanges.set(exchange, client);
    thread.post({ type: 'request', exchange, request });
    return {
      abandoned: () => {
        if (this.#exchanges.delete(exchange)) thread.post({ type: 'abandoned', exchange });
      },
    };
  }

  openServer(options: ServerOptions, listener: ServerListener): OpenServer {
    const server = this.#nextId++;
    const thread = this.#running();
    this.#servers.set(server, listener);
    thread.post({ type: 'serverOpen', server, options });
    // The thread is told of a call that the host writes itself when it needs to know it, and not woken before.
    let untold: ToMcpThread[] = [];
    const tell = (): void => {
      for (const call of untold) thread.post(call);
      untold = [];
    };
    return {
      push: (bytes) => {
        tell();
        thread.post({ type: 'serverBytes', server, bytes });
      },
      call: (call, tool, inputJson) => {
        if (options.remote !== undefined) {
          thread.post({ type: 'serverCall', server, call, id: undefined, tool, inputJson });
          return;
        }
        const id = hostsId(call);
        untold.push({ type: 'serverCall', server, call, id, tool: '', inputJson: '' });
        listener.text(callLine(id, tool, inputJson));
      },
      cancel: (call, reason) => {
        tell();
        thread.post({ type: 'serverCancel', server, call, reason });
      },
      gone: () => {
        if (this.#servers.delete(server)) thread.post({ type: 'serverGone', server });
      },
    };
  }

  /** A connection for the plain calls that a client makes itself. Answers how to forget it. */
  openCalls(calls: PendingCalls): () => void {
    this.#callers.add(calls);
    return () => this.#callers.delete(calls);
  }

  /** A plugin came, went or changed. */
  readonly toolsChanged = (): void => {
    this.#thread?.post({ type: 'offer', tools: this.#options.tools.offered() });
  };

  async close(): Promise<void> {
    this.#closed = true;
    await this.#thread?.end();
  }

  #running(): McpThread {
    if (this.#thread !== undefined) return this.#thread;
    const spawn = this.#options.spawn ?? spawnMcpThread;
    const thread = spawn(this.#options.thread, {
      message: (message) => this.#receive(message),
      ended: (why) => this.#ended(thread, why),
    });
    this.#thread = thread;
    this.toolsChanged();
    return thread;
  }

  #receive(message: FromMcpThread): void {
    switch (message.type) {
      case 'ready':
        return;
      case 'write':
        this.#lines.get(message.connection)?.write(message.text);
        return;
      case 'taken':
        this.#lines.get(message.connection)?.taken(message.bytes);
        return;
      case 'close':
        this.#lines.get(message.connection)?.close();
        return;
      case 'head':
        this.#exchanges.get(message.exchange)?.head(message.status, message.headers);
        return;
      case 'chunk':
        this.#exchanges.get(message.exchange)?.chunk(message.bytes);
        return;
      case 'finished': {
        const client = this.#exchanges.get(message.exchange);
        this.#exchanges.delete(message.exchange);
        client?.finished();
        return;
      }
      case 'call':
        this.#call(message);
        return;
      case 'cancel':
        this.#calls.get(message.call)?.abort(message.reason);
        return;
      default: {
        const listener = this.#servers.get(message.server);
        if (listener !== undefined) tellServer(listener, message);
      }
    }
  }

  #call({ call, plugin, tool, inputJson, progress }: Extract<FromMcpThread, { readonly type: 'call' }>): void {
    const thread = this.#thread;
    const controller = this.#spare.pop() ?? new AbortController();
    this.#calls.set(call, controller);
    this.#options.tools.call(
      { plugin, tool, inputJson, controller },
      {
        succeeded: (json) => {
          this.#over(call, controller);
          thread?.post({ type: 'answer', call, json });
        },
        failed: (error) => {
          this.#over(call, controller);
          thread?.post({ type: 'refusal', call, error: refusalOf(error.toWire()) });
        },
        ...(progress ? { progressed: (told) => thread?.post({ type: 'progress', call, progress: told }) } : {}),
      },
    );
  }

  /** Nobody listens to its signal any more: another call can have it, which is cheaper than a new one. */
  #over(call: number, controller: AbortController): void {
    this.#calls.delete(call);
    if (!controller.signal.aborted && this.#spare.length < maxSpare) this.#spare.push(controller);
  }

  /** Its clients begin again with the next one. */
  #ended(thread: McpThread, why: string): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    if (!this.#closed)
      this.#options.log.warn({ reason: why }, 'the MCP thread has ended; the next client starts another');
    const clients = [...this.#lines.values()];
    const exchanges = [...this.#exchanges.values()];
    const calls = [...this.#calls.values()];
    const servers = [...this.#servers.values()];
    this.#servers.clear();
    this.#lines.clear();
    this.#exchanges.clear();
    this.#calls.clear();
    for (const call of calls) call.abort('the MCP thread has ended');
    for (const client of clients) client.close();
    for (const exchange of exchanges) exchange.finished();
    for (const server of servers) server.fault('the MCP thread has ended');
  }
}

function tellServer(listener: ServerListener, message: Extract<FromMcpThread, { readonly server: number }>): void {
  switch (message.type) {
    case 'serverText':
      return listener.text(message.text);
    case 'serverTaken':
      return listener.taken(message.bytes);
    case 'serverReady':
      return listener.ready(message.about, message.tools);
    case 'serverTools':
      return listener.tools(message.tools);
    case 'serverFault':
      return listener.fault(message.message);
    case 'serverAnswer':
      return listener.answer(message.call, message.answer);
    case 'serverProgress':
      return listener.progressed(message.call, message.progress);
    case 'serverRefused':
      return listener.refused(message.method);
    case 'serverSaid':
      return listener.said(message.level, message.text);
  }
}

const maxSpare = 64;
