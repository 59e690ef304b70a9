// One hosted MCP server, spoken to as its client: the handshake, the list of its tools, calls, and the refusal of what
// hosted servers do not get. Nothing that it sends is trusted to be what the protocol says, and nothing is unbounded.
import { callParams } from '../../../protocol/mcp/server-call.ts';
import type { CallProgress } from '../../../protocol/cell/tool-messages.ts';
import { nestsDeeper } from '../../../protocol/framing.ts';
import type {
  FromMcpThread,
  McpThreadOptions,
  ServerAnswer,
  ServerOptions,
  ServerTool,
} from '../../../protocol/mcp/messages.ts';
import { type Fields, isFields } from '../../../protocol/fields.ts';
import { KeptLists, type ListKind } from './kept-lists.ts';
import { type RequestOutcome, ServerRequests } from './server-requests.ts';
import type { ServerWire } from './server-wire.ts';
import { listTools } from './tool-list.ts';

const protocolVersion = '2025-11-25';
const knownVersions = ['2024-11-05', '2025-03-26', '2025-06-18', protocolVersion];
const methodNotFoundNumber = -32601;
/** Lines that are no messages: a server that prints to its standard output is forgiven a few. */
const maxGarbage = 100;
/** Messages that answer nothing, in one second. */
const maxUnasked = 2000;
const pingMs = 5000;
/** Between two lists of a server that says again and again that its list has changed. */
const listEveryMs = 250;

/** What the clients of resources and prompts hear of it. */
export interface ServerChanges {
  begun(server: HostedServer): void;
  listChanged(kind: 'resources' | 'prompts'): void;
  resourceUpdated(plugin: string, uri: string): void;
}

export interface HostedServerParts {
  readonly options: ServerOptions;
  readonly thread: Pick<McpThreadOptions, 'version' | 'nesting'>;
  readonly wire: ServerWire;
  readonly changes: ServerChanges;
  post(message: FromMcpThread): void;
}

interface Call {
  readonly id: number;
}

export class HostedServer {
  /** What it has listed of what is passed on to clients. */
  readonly kept = new KeptLists();
  readonly #id: number;
  readonly #parts: HostedServerParts;
  readonly #post: (message: FromMcpThread) => void;
  readonly #requests: ServerRequests;
  readonly #calls = new Map<number, Call>();
  #capabilities: Fields = {};
  #garbage = 0;
  #unasked = 0;
  #unaskedSinceMs = performance.now();
  #faulty = false;
  #listing = false;
  #listAgain = false;
  #listed = '';
  #pinging = false;
  #begun = false;
  readonly #warned = new Set<string>();

  constructor(id: number, parts: HostedServerParts) {
    this.#id = id;
    this.#parts = parts;
    this.#post = parts.post;
    this.#requests = new ServerRequests(parts.wire);
  }

  get plugin(): string {
    return this.#parts.options.plugin;
  }

  /** It has not said what it offers yet. */
  get starting(): boolean {
    return !this.#begun && !this.#faulty;
  }

  /** Whether its resources and prompts are for MCP clients. */
  offers(capability: 'resources' | 'prompts' | 'completions'): boolean {
    return this.#parts.options.passOn && !this.#faulty && isFields(this.#capabilities[capability]);
  }

  /** Whether it tells of changes of resources, if it is asked to. */
  get tellsOfResources(): boolean {
    const { resources } = this.#capabilities;
    return this.offers('resources') && isFields(resources) && resources['subscribe'] === true;
  }

  /** Whether it says when a list has changed. */
  tellsOfLists(kind: ListKind): boolean {
    const offered = this.#capabilities[kind === 'prompts' ? 'prompts' : 'resources'];
    return isFields(offered) && offered['listChanged'] === true;
  }

  /** The deadline of the start is the host's. */
  async begin(): Promise<void> {
    const { version } = this.#parts.thread;
    const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'nagaya', version } };
    const begun = await this.#requests.begin({ method: 'initialize', paramsJson: JSON.stringify(params) }).outcome;
    if (!begun.ok) return this.#fault(`the server refused to initialize: ${begun.message}`);
    const { protocolVersion: spoken, capabilities, serverInfo } = begun.result;
    if (typeof spoken !== 'string' || !knownVersions.includes(spoken))
      return this.#fault(
        `the server speaks the protocol ${JSON.stringify(spoken) ?? 'of no version'}; known are ${knownVersions.join(', ')}`,
      );
    this.#capabilities = isFields(capabilities) ? capabilities : {};
    this.#parts.wire.begun?.(spoken);
    this.#parts.wire.send('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
    const tools = await this.#list();
    if (tools === undefined) return;
    this.#begun = true;
    this.#listed = JSON.stringify(tools);
    const info = isFields(serverInfo) ? serverInfo : {};
    this.#post({
      type: 'serverReady',
      server: this.#id,
      about: {
        protocolVersion: spoken,
        name: shortText(info['name']),
        version: shortText(info['version']),
        capabilities: Object.keys(this.#capabilities).slice(0, 20),
      },
      tools,
    });
    this.#parts.changes.begun(this);
  }

  /** A whole line of its output, or a message of its HTTP answer. */
  receive(text: string): void {
    if (this.#faulty || text.trim() === '') return;
    if (nestsDeeper(text, this.#parts.thread.nesting)) return this.#refuseGarbage(text);
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return this.#refuseGarbage(text);
    }
    if (Array.isArray(message)) for (const one of message.slice(0, 1000)) this.#take(one, text);
    else this.#take(message, text);
  }

  /** `sentId`: the host has sent the request, with this id. */
  call(call: number, tool: string, inputJson: string, sentId: number | undefined): void {
    // The host is about to hear that it has ended, and tells its callers.
    if (this.#faulty) return;
    let id = 0;
    const begun = this.#requests.begin({
      method: 'tools/call',
      paramsJson: sentId === undefined ? callParams(this.#requests.nextId, tool, inputJson) : '',
      sentId,
      progressed: (progress) => this.#post({ type: 'serverProgress', server: this.#id, call, progress }),
    });
    id = begun.id;
    this.#calls.set(call, { id });
    void begun.outcome.then((outcome) => {
      // One that was withdrawn has no answer.
      if (!this.#calls.delete(call)) return;
      this.#post({ type: 'serverAnswer', server: this.#id, call, answer: this.#answerOf(outcome) });
    });
  }

  cancel(call: number, reason: string): void {
    const open = this.#calls.get(call);
    if (open === undefined) return;
    this.#calls.delete(call);
    this.#requests.withdraw(open.id, reason);
    void this.#ping();
  }

  /** What a client of its resources and prompts waits for an answer. */
  get passOnMs(): number {
    return this.#parts.options.passOnMs;
  }

  /** For what is passed on as it is. */
  async request(method: string, params: unknown, withinMs = this.passOnMs): Promise<RequestOutcome> {
    return await this.#requests.begin({ method, paramsJson: JSON.stringify(params ?? {}), withinMs }).outcome;
  }

  /** In its log, the same words only once. */
  warnOnce(text: string): void {
    if (this.#warned.has(text)) return;
    this.#warned.add(text);
    this.#post({ type: 'serverSaid', server: this.#id, level: 'warn', text });
  }

  tooLong(): void {
    this.#fault('the server sent a message that is longer than limits.lineBytes');
  }

  /** It has no process any more, or is to have none. */
  end(): void {
    this.#faulty = true;
    this.#calls.clear();
    this.#requests.end('the server has ended');
    this.#parts.wire.close();
  }

  fault(message: string): void {
    this.#fault(message);
  }

  /** The answer of this request does not come any more. */
  unanswered(id: number, message: string): void {
    this.#requests.settle(id, { ok: false, number: -32000, message });
  }

  #take(message: unknown, text: string): void {
    if (!isFields(message)) return this.#refuseGarbage(text);
    const { id, method, result, error, params } = message;
    if (typeof method === 'string') {
      if (id === undefined) this.#notified(method, isFields(params) ? params : {});
      else this.#refuse(id, method);
      return;
    }
    const outcome: RequestOutcome | undefined = isFields(result)
      ? { ok: true, result }
      : isFields(error)
        ? {
            ok: false,
            number: Number(error['code']) || 0,
            message: shortText(error['message'], 2000),
            data: error['data'],
          }
        : undefined;
    if (outcome === undefined) return this.#refuseGarbage(text);
    if (!this.#requests.settle(id, outcome)) this.#countUnasked();
  }

  #notified(method: string, params: Fields): void {
    switch (method) {
      case 'notifications/progress': {
        const { progressToken, progress, total, message } = params;
        if (typeof progress !== 'number' || !Number.isFinite(progress)) return this.#countUnasked();
        const told: CallProgress = {
          done: progress,
          ...(typeof total === 'number' && Number.isFinite(total) ? { total } : {}),
          ...(typeof message === 'string' ? { message: message.slice(0, 500) } : {}),
        };
        this.#countUnasked();
        this.#requests.progressed(progressToken, told);
        return;
      }
      case 'notifications/tools/list_changed':
        this.#countUnasked();
        void this.#refresh();
        return;
      case 'notifications/resources/list_changed':
      case 'notifications/prompts/list_changed':
        this.#countUnasked();
        this.#listChanged(method.includes('resources') ? ['resources', 'resourceTemplates'] : ['prompts']);
        return;
      case 'notifications/resources/updated':
        this.#countUnasked();
        this.#parts.changes.resourceUpdated(this.plugin, shortText(params['uri'], 4096));
        return;
      case 'notifications/message': {
        this.#countUnasked();
        const { level, data } = params;
        const warns =
          typeof level === 'string' && ['warning', 'error', 'critical', 'alert', 'emergency'].includes(level);
        const text = typeof data === 'string' ? data : (JSON.stringify(data) ?? '');
        this.#post({ type: 'serverSaid', server: this.#id, level: warns ? 'warn' : 'info', text: text.slice(0, 4000) });
        return;
      }
      default:
        this.#countUnasked();
    }
  }

  #listChanged(kinds: readonly ['resources', 'resourceTemplates'] | readonly ['prompts']): void {
    for (const kind of kinds) this.kept.forget(kind);
    this.#parts.changes.listChanged(kinds[0]);
  }

  /** `ping` alone is answered: a server gets neither a model nor a person nor folders. */
  #refuse(id: unknown, method: string): void {
    this.#countUnasked();
    if (method === 'ping') {
      this.#parts.wire.send(`${JSON.stringify({ jsonrpc: '2.0', id, result: {} })}\n`);
      return;
    }
    const words = `Nagaya does not answer ${method.slice(0, 100)} of hosted servers.`;
    const error = { code: methodNotFoundNumber, message: words, data: { code: 'unsupported_operation' } };
    this.#parts.wire.send(`${JSON.stringify({ jsonrpc: '2.0', id, error })}\n`);
    this.#post({ type: 'serverRefused', server: this.#id, method: method.slice(0, 100) });
  }

  async #refresh(): Promise<void> {
    if (this.#listing) {
      this.#listAgain = true;
      return;
    }
    this.#listing = true;
    do {
      this.#listAgain = false;
      const tools = await this.#list();
      const listed = JSON.stringify(tools ?? []);
      if (tools !== undefined && listed !== this.#listed) {
        this.#listed = listed;
        this.#post({ type: 'serverTools', server: this.#id, tools });
      }
      await new Promise((resolve) => setTimeout(resolve, listEveryMs).unref());
    } while (this.#listAgain && !this.#faulty);
    this.#listing = false;
  }

  /** Undefined where that has failed, which is told. */
  async #list(): Promise<ServerTool[] | undefined> {
    if (!isFields(this.#capabilities['tools'])) return [];
    const { requestMs } = this.#parts.options;
    const tools = await listTools((method, params) => this.request(method, params, requestMs));
    if (typeof tools !== 'string') return tools;
    this.#fault(tools);
    return undefined;
  }

  #answerOf(outcome: RequestOutcome): ServerAnswer {
    if (!outcome.ok) return { kind: 'rpcError', number: outcome.number, message: outcome.message };
    const { result } = outcome;
    const json = JSON.stringify(result);
    const bytes = Buffer.byteLength(json);
    if (bytes > this.#parts.options.outputBytes) return { kind: 'tooLarge', bytes };
    return result['isError'] === true ? { kind: 'toolError', text: textOf(result), result } : { kind: 'result', json };
  }

  /** After a call that was given up: a server that does not answer at all is ended. */
  async #ping(): Promise<void> {
    if (this.#pinging) return;
    this.#pinging = true;
    const outcome = await this.#requests.begin({ method: 'ping', paramsJson: '{}', withinMs: pingMs }).outcome;
    this.#pinging = false;
    if (!outcome.ok && outcome.timedOut === true)
      this.#fault(`the server did not answer a ping within ${String(pingMs)} ms after a call was given up`);
  }

  #refuseGarbage(text: string): void {
    this.#garbage += 1;
    this.#post({ type: 'serverSaid', server: this.#id, level: 'warn', text: `not a message: ${text.slice(0, 500)}` });
    if (this.#garbage > maxGarbage)
      this.#fault(`the server wrote more than ${String(maxGarbage)} lines that are no JSON-RPC messages`);
  }

  #countUnasked(): void {
    const nowMs = performance.now();
    if (nowMs - this.#unaskedSinceMs > 1000) {
      this.#unaskedSinceMs = nowMs;
      this.#unasked = 0;
    }
    this.#unasked += 1;
    if (this.#unasked > maxUnasked)
      this.#fault(`the server sent more than ${String(maxUnasked)} messages in a second that nobody had asked for`);
  }

  #fault(message: string): void {
    if (this.#faulty) return;
    this.#post({ type: 'serverFault', server: this.#id, message });
    this.end();
  }
}

const shortText = (value: unknown, most = 200): string => (typeof value === 'string' ? value.slice(0, most) : '');

/** What a failed tool says, for people. */
function textOf({ content }: Fields): string {
  const texts = Array.isArray(content)
    ? content.flatMap((item: unknown) => (isFields(item) && typeof item['text'] === 'string' ? [item['text']] : []))
    : [];
  return texts.join('\n').slice(0, 4000);
}
