// The plain calls of an MCP client, made by `nagaya mcp` itself with `tool.call` on a connection of their own: on their
// way through the daemon they then wake neither the MCP thread nor its host a second time.
import { randomUUID } from 'node:crypto';
import { type Socket, createConnection } from 'node:net';
import { isErrorCode } from '../../protocol/errors.ts';
import { LineCutter, asText, nestsDeeper } from '../../protocol/framing.ts';
import { type Fields, isFields } from '../../protocol/fields.ts';
import { mcpCallsHead } from '../../protocol/mcp/first-line.ts';
import { type PlainCall, type PlainTool, plainAnswer, plainRefusal } from '../../protocol/mcp/plain-calls.ts';
import type { PlainOffer } from '../../protocol/mcp/plain-offer.ts';
import { refusalOf } from '../../protocol/mcp/refusal.ts';
import { CallGathering, type SentCalls, gatherMs } from './call-gathering.ts';
import { parsed, textCallOf } from './plain-call-text.ts';

export interface PlainCallsListener {
  /** Lines for the client. */
  answered(lines: string): void;
  /** It takes more, or less, than it did. */
  readinessChanged(): void;
  /** Nothing is pending any more, or nothing more comes. */
  settled(): void;
}

interface PendingCall {
  readonly call: PlainCall;
  /** With which others it was sent, once it was. */
  sent: SentCalls | undefined;
}

const mostAnswerBytes = 256 * 1024 * 1024;
const internalErrorNumber = -32603;
const busyNumber = -32000;
const callMark = '"tools/call"';
const cancelMark = '"notifications/cancelled"';

export class PlainCalls {
  readonly #path: string;
  readonly #listener: PlainCallsListener;
  readonly #cutter: LineCutter;
  #offer: PlainOffer | undefined;
  #tools: ReadonlyMap<string, PlainTool> = new Map();
  /** How the tool is named in a request. */
  #members: ReadonlyMap<PlainTool, string> = new Map();
  #socket: Socket | undefined;
  #connected = false;
  /** The connection was lost, or refused: calls go the long way from then on. */
  #closed = false;
  #outgoing = '';
  #answers = '';
  #next = 1;
  readonly #callIds = randomUUID();
  readonly #pending = new Map<number, PendingCall>();
  readonly #gathering = new CallGathering();
  /** Of the pending ones, those that were not sent yet. */
  #held: PendingCall[] = [];
  #gatherTimer: NodeJS.Timeout | undefined;
  readonly #byId = new Map<unknown, number>();

  constructor(path: string, listener: PlainCallsListener) {
    this.#path = path;
    this.#listener = listener;
    this.#cutter = new LineCutter(mostAnswerBytes, {
      line: asText((text) => this.#answer(text)),
      tooLong: () => this.close(),
    });
  }

  get pending(): number {
    return this.#pending.size;
  }

  get lingerMs(): number {
    return this.#offer?.lingerMs ?? 0;
  }

  /** False while what was written has to be taken first. */
  get ready(): boolean {
    return this.#socket?.writableNeedDrain !== true;
  }

  offered(offer: PlainOffer): void {
    this.#offer = offer;
    this.#tools = new Map(offer.tools.map((tool) => [tool.name, tool]));
    this.#members = new Map(offer.tools.map((tool) => [tool, membersOf(tool)]));
  }

  /** Whether it is done with this message of the client; if not, it is for the MCP thread. */
  takes(text: string): boolean {
    if (this.#offer === undefined) return false;
    if (text.includes(callMark)) return this.#takesCall(text, this.#offer);
    return this.#byId.size > 0 && text.includes(cancelMark) && this.#takesWithdrawal(parsed(text));
  }

  /** What was taken goes out in one piece, now or when more is there. */
  flush(): void {
    if (this.#outgoing === '') return;
    const nowMs = performance.now();
    if (this.#gathering.waits(this.#held.length, nowMs)) this.#gatherTimer ??= setTimeout(this.#send, gatherMs);
    else this.#send();
  }

  readonly #send = (): void => {
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = undefined;
    const sent = this.#gathering.sent(this.#held.length, performance.now());
    for (const held of this.#held) held.sent = sent;
    this.#held = [];
    this.#socket?.write(this.#outgoing);
    this.#outgoing = '';
    if (!this.ready) this.#listener.readinessChanged();
  };

  /** While the client does not read, neither do we. */
  pause(paused: boolean): void {
    if (paused) this.#socket?.pause();
    else this.#socket?.resume();
  }

  /** Ends what is pending: the daemon withdraws the calls of a connection that is gone. */
  close(): void {
    this.#closed = true;
    this.#socket?.destroy();
  }

  #takesCall(text: string, { nesting, pendingCalls }: PlainOffer): boolean {
    if (this.#closed || nestsDeeper(text, nesting)) return false;
    const read = textCallOf(text, this.#toolOf);
    if (read === undefined || this.#byId.has(read.call.id) || !this.#open()) return false;
    const { call, inputJson } = read;
    const { id, tool } = call;
    if (this.#pending.size >= pendingCalls) {
      const message = `This connection has ${String(pendingCalls)} unanswered requests, which is the limit.`;
      this.#listener.answered(`${JSON.stringify({ jsonrpc: '2.0', id, error: { code: busyNumber, message } })}\n`);
      return true;
    }
    const number = this.#next++;
    const pending: PendingCall = { call, sent: undefined };
    this.#pending.set(number, pending);
    this.#held.push(pending);
    this.#byId.set(id, number);
    const of = this.#members.get(tool) ?? '';
    this.#request(number, 'tool.call', `{${of},"input":${inputJson},"callId":"${this.#callIdOf(number)}"}`);
    return true;
  }

  #takesWithdrawal(message: unknown): boolean {
    const params = isFields(message) && message['method'] === 'notifications/cancelled' ? message['params'] : undefined;
    const id = isFields(params) ? params['requestId'] : undefined;
    const number = this.#byId.get(id);
    if (number === undefined) return false;
    this.#request(0, 'tool.cancel', `{"callId":"${this.#callIdOf(number)}"}`);
    this.#send();
    this.#forget(number);
    if (this.#pending.size === 0) this.#listener.settled();
    return true;
  }

  readonly #toolOf = (name: string): PlainTool | undefined => this.#tools.get(name);

  readonly #callIdOf = (number: number): string => `mcp:${this.#callIds}:${String(number)}`;

  #request(number: number, method: string, params: string): void {
    this.#outgoing += `{"jsonrpc":"2.0","id":${String(number)},"method":"${method}","params":${params}}\n`;
  }

  /** Until the connection is there, calls go the long way: nobody waits for it. */
  #open(): boolean {
    if (this.#socket !== undefined) return this.#connected;
    const socket = createConnection({ path: this.#path, allowHalfOpen: false });
    this.#socket = socket;
    socket.once('connect', () => {
      this.#connected = true;
      socket.write(`${mcpCallsHead}\n`);
    });
    socket.on('data', (chunk: Buffer) => {
      this.#cutter.push(chunk);
      const answers = this.#answers;
      this.#answers = '';
      if (answers !== '') this.#listener.answered(answers);
      this.flush();
      if (this.#pending.size === 0) this.#listener.settled();
    });
    socket.on('drain', () => this.#listener.readinessChanged());
    socket.on('error', () => undefined); // told by 'close'
    socket.once('close', () => this.#lost());
    return false;
  }

  #answer(text: string): void {
    const { id, output, durationMs = Infinity, error } = answerIn(text);
    const pending = typeof id === 'number' ? this.#pending.get(id) : undefined;
    // The answer of a withdrawal, or of what was withdrawn.
    if (pending === undefined || typeof id !== 'number') return;
    this.#gathering.learn(durationMs);
    this.#forget(id);
    this.#answers += `${answerText(pending.call, output, error)}\n`;
  }

  #forget(number: number): void {
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    if (pending === undefined) return;
    this.#byId.delete(pending.call.id);
    if (pending.sent !== undefined) pending.sent.open -= 1;
  }

  #lost(): void {
    this.#closed = true;
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = undefined;
    this.#held = [];
    this.#outgoing = '';
    let answers = '';
    for (const { call } of this.#pending.values()) answers += `${refusalText(call, undefined)}\n`;
    this.#pending.clear();
    this.#byId.clear();
    if (answers !== '') this.#listener.answered(answers);
    this.#listener.readinessChanged();
    this.#listener.settled();
  }
}

const membersOf = ({ plugin, tool }: PlainTool): string =>
  `"plugin":${JSON.stringify(plugin)},"tool":${JSON.stringify(tool)}`;

/** As the daemon writes it: the output in the midst of it is passed on as the text it is. */
const succeeded = /^\{"jsonrpc":"2\.0","id":(\d+),"result":\{"output":/;
const durationMark = ',"durationMs":';

interface Answer {
  readonly id: unknown;
  readonly output?: string;
  /** In the tool's cell. */
  readonly durationMs?: number;
  readonly error?: unknown;
}

function answerIn(text: string): Answer {
  const head = succeeded.exec(text);
  const end = text.lastIndexOf(durationMark);
  if (head !== null && end >= head[0].length)
    return {
      id: Number(head[1]),
      output: text.slice(head[0].length, end),
      durationMs: parseFloat(text.slice(end + durationMark.length)),
    };
  const message = parsed(text);
  return isFields(message) ? { id: message['id'], error: message['error'] } : { id: undefined };
}

function answerText(call: PlainCall, output: string | undefined, error: unknown): string {
  if (output === undefined) return refusalText(call, error);
  try {
    return plainAnswer(call, output);
  } catch {
    return problemText(call, 'The tool has answered with something that is no JSON.');
  }
}

/** The daemon's word for it, as a result; `undefined` where it has not said anything. */
function refusalText(call: PlainCall, error: unknown): string {
  const { message, data } = isFields(error) ? error : {};
  const { code, retryable, details } = isFields(data) ? data : ({} as Fields);
  if (typeof message === 'string' && isErrorCode(code))
    return plainRefusal(
      call,
      refusalOf({ code, message, retryable: retryable === true, details: isFields(details) ? details : {} }),
    );
  return problemText(call, 'The daemon closed the connection; whether the call took effect is not known.');
}

const problemText = ({ id }: PlainCall, message: string): string =>
  JSON.stringify({ jsonrpc: '2.0', id, error: { code: internalErrorNumber, message } });
