// The client of the control socket, typed by the operation table: what the command, tests and other programs use.
// It loads neither zod nor the table itself, only its types, so that a command starts fast.
import { type Socket, createConnection } from 'node:net';
import { HostError, isErrorCode } from '../errors.ts';
import { LineCutter, asText } from '../framing.ts';
import { feedMethod, progressMethod } from '../json-rpc.ts';
import type { OperationInput, OperationName, OperationResult } from '../operations.ts';
import type { FeedNotification } from '../operations/telemetry.ts';
import type { ProgressNotification } from '../operations/tool.ts';
import { defaultSocketPath } from './socket-path.ts';

export { defaultSocketPath } from './socket-path.ts';
export { HostError } from '../errors.ts';

export interface ClientOptions {
  /** Default: `$NAGAYA_SOCKET`, else the user's runtime folder. */
  readonly socket?: string;
  readonly connectMs?: number;
  /** How long a call waits for its answer; the daemon has its own, shorter deadlines. */
  readonly callMs?: number;
  readonly maxLineBytes?: number;
}

interface PendingCall {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: HostError) => void;
  readonly timer: NodeJS.Timeout;
}

/** What the daemon's encoder writes; another program's may differ, so that every member is looked at with care. */
interface Message {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string; readonly data?: ErrorData } | null;
}

interface ErrorData {
  readonly code?: unknown;
  readonly details?: Record<string, unknown>;
}

const defaultConnectMs = 5000;
const defaultCallMs = 120_000;
const defaultLineBytes = 64 * 1024 * 1024;

export async function connect(options: ClientOptions = {}): Promise<Client> {
  const path = options.socket ?? defaultSocketPath();
  const socket = createConnection(path);
  const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), options.connectMs ?? defaultConnectMs);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
  } catch (cause) {
    const reason = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : 'unknown';
    throw new HostError('daemon_unreachable', `No daemon answers at ${path} (${reason}).`, { socket: path, reason });
  } finally {
    clearTimeout(timer);
  }
  return new Client(socket, options);
}

export class Client {
  readonly #socket: Socket;
  readonly #pending = new Map<number, PendingCall>();
  readonly #callMs: number;
  readonly #closed: Promise<void>;
  #nextId = 1;
  #outgoing = '';
  #listener: ((notification: FeedNotification) => void) | undefined;
  #progressListener: ((progress: ProgressNotification) => void) | undefined;
  #ended: HostError | undefined;

  constructor(socket: Socket, options: ClientOptions) {
    this.#socket = socket;
    this.#callMs = options.callMs ?? defaultCallMs;
    const cutter = new LineCutter(options.maxLineBytes ?? defaultLineBytes, {
      line: asText((text) => this.#receive(text)),
      tooLong: () => this.#end('The daemon sent a line larger than this client takes.'),
    });
    socket.on('data', (chunk: Buffer) => cutter.push(chunk));
    socket.on('error', (error) => this.#end(`The connection failed: ${error.message}.`));
    this.#closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#end('The daemon closed the connection.');
        resolve();
      });
    });
  }

  /** Settles when the connection is gone. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  async call<Name extends OperationName>(
    name: Name,
    params: OperationInput<Name>,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<OperationResult<Name>> {
    // The daemon answers in the shape the table gives; the project's tests hold it to that.
    return (await this.request(name, params, options.timeoutMs ?? this.#callMs)) as OperationResult<Name>;
  }

  /** For names known only at run time. */
  request(method: string, params: unknown, timeoutMs: number = this.#callMs): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(
          new HostError('connection_closed', `The daemon did not answer ${method} within ${String(timeoutMs)} ms.`, {
            method,
            timeoutMs,
          }),
        );
      }, timeoutMs);
      this.#pending.set(id, { resolve, reject, timer });
      this.#write(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
  }

  /** One listener for the events of every subscription of this connection. */
  onEvent(listener: (notification: FeedNotification) => void): void {
    this.#listener = listener;
  }

  /** One listener for the progress of every call of this connection that was made with `progress: true`. */
  onProgress(listener: (progress: ProgressNotification) => void): void {
    this.#progressListener = listener;
  }

  /** An idle connection no longer keeps the process alive; a call that is pending still does. */
  unref(): void {
    this.#socket.unref();
  }

  async close(): Promise<void> {
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), 1000);
    await this.#closed;
    clearTimeout(timer);
  }

  /** Calls made in one turn leave in one write. */
  #write(line: string): void {
    if (this.#outgoing === '') {
      queueMicrotask(() => {
        const lines = this.#outgoing;
        this.#outgoing = '';
        this.#socket.write(lines);
      });
    }
    this.#outgoing += `${line}\n`;
  }

  #receive(text: string): void {
    const message = readMessage(text);
    if (message === undefined) {
      this.#end('The daemon sent something that is not JSON-RPC.');
      return;
    }
    if (message.method === feedMethod) {
      this.#listener?.(message.params as FeedNotification);
      return;
    }
    if (message.method === progressMethod) {
      this.#progressListener?.(message.params as ProgressNotification);
      return;
    }
    if (typeof message.id !== 'number') {
      if (message.error) this.#end(`The daemon ended the connection: ${message.error.message}`, message.error.data);
      return;
    }
    const call = this.#pending.get(message.id);
    if (call === undefined) return;
    this.#pending.delete(message.id);
    clearTimeout(call.timer);
    if (!message.error) {
      call.resolve(message.result);
      return;
    }
    const { code, details } = message.error.data ?? {};
    call.reject(new HostError(isErrorCode(code) ? code : 'internal', message.error.message, details ?? {}));
  }

  /** `said` is what the daemon itself gave as its reason. */
  #end(reason: string, said: ErrorData = {}): void {
    if (this.#ended !== undefined) return;
    this.#ended = new HostError(isErrorCode(said.code) ? said.code : 'connection_closed', reason, said.details ?? {});
    this.#socket.destroy();
    for (const call of this.#pending.values()) {
      clearTimeout(call.timer);
      call.reject(this.#ended);
    }
    this.#pending.clear();
  }
}

function readMessage(text: string): Message | undefined {
  try {
    const message: unknown = JSON.parse(text);
    return typeof message === 'object' && message !== null ? message : undefined;
  } catch {
    // What cannot be read is told by its absence.
    return undefined;
  }
}
