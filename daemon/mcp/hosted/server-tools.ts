// The tools of one hosted server: what it lists, under names of our form, and the calls that are with it or wait for
// it. A call is answered once, at its deadline at the latest, whatever the server does.
import { createHash } from 'node:crypto';
import type { CallProgress } from '../../../protocol/cell/tool-messages.ts';
import { HostError } from '../../../protocol/errors.ts';
import { nameForm } from '../../../protocol/identifiers.ts';
import { encodeJson } from '../../../protocol/json-rpc.ts';
import type { McpSection } from '../../../protocol/manifest.ts';
import type { ServerAbout, ServerAnswer, ServerTool } from '../../../protocol/mcp/messages.ts';
import type { Clock } from '../../time/clock.ts';
import type { CallWaiter } from '../../tools/pending-call.ts';
import type { ToolBooks } from '../../tools/tool-books.ts';
import type { ToolRequest } from '../../tools/plugin-tools.ts';
import { cancelled, inputTooLarge, overloaded, unknownTool } from '../../tools/tool-errors.ts';
import type { OpenServer } from '../mcp-gateway.ts';
import { ServerCall } from './server-call.ts';
import type { ServerUser } from './server-cell.ts';

export interface ServerToolsOptions {
  readonly clock: Clock;
  readonly limits: { readonly toolQueue: number; readonly toolInputBytes: number; readonly toolOutputBytes: number };
  /** Throws where the server does not run and is not about to. */
  requireComing(): void;
  changed(): void;
  refused(method: string): void;
  failed(error: HostError, callId: string | undefined): void;
  /** Where its calls are counted. */
  readonly books: ToolBooks;
}

export interface NamedServerTool extends ServerTool {
  /** By which the server knows it. */
  readonly own: string;
}

export class ServerTools implements ServerUser {
  readonly #options: ServerToolsOptions;
  #section: McpSection;
  #live: OpenServer | undefined;
  #tools = new Map<string, NamedServerTool>();
  readonly #calls = new Map<number, ServerCall>();
  readonly #waiting: ServerCall[] = [];
  #next = 1;
  #closed = false;
  #held = false;

  constructor(section: McpSection, options: ServerToolsOptions) {
    this.#section = section;
    this.#options = options;
  }

  /** Of the plugin as it was read again. */
  replan(section: McpSection): void {
    this.#section = section;
  }

  get list(): readonly NamedServerTool[] {
    return [...this.#tools.values()];
  }

  get timeoutMs(): number {
    return this.#section.timeouts.callMs;
  }

  // What tools of every kind have.

  get pendingCalls(): number {
    return this.#calls.size + this.#waiting.length;
  }

  call({ tool: name, input, timeoutMs, signal, callId }: ToolRequest, waiter: CallWaiter): void {
    const { limits, clock } = this.#options;
    const inputJson = encodeJson(input ?? {});
    if (inputJson.length > limits.toolInputBytes)
      throw inputTooLarge(name, Buffer.byteLength(inputJson), limits.toolInputBytes);
    if (this.#closed || signal.aborted)
      throw cancelled({ toolName: name, phase: 'queued', waitedMs: 0 }, this.#closed ? ending : signal.reason);
    if (this.#live === undefined) this.#options.requireComing();
    else if (!this.#tools.has(name)) throw unknownTool(name, [...this.#tools.keys()]);
    if (this.#waiting.length >= limits.toolQueue) throw overloaded(name, this.#waiting.length, leastRetryMs);
    const { callMs, mostMs } = this.#section.timeouts;
    const call: ServerCall = new ServerCall({
      number: this.#next++,
      tool: name,
      inputJson: inputJson === 'null' ? '{}' : inputJson,
      callId,
      clock,
      timeoutMs: Math.min(timeoutMs ?? callMs, mostMs),
      mostMs: timeoutMs === undefined ? mostMs : Math.min(timeoutMs, mostMs),
      signal,
      waiter,
      over: (error, tookMs, ranMs) => this.#over(call, error, { tookMs, ranMs }),
    });
    this.#waiting.push(call);
    this.#pump();
  }

  /** While it is held no call begins. */
  hold(held: boolean): void {
    this.#held = held;
    this.#pump();
  }

  /** Answers what is pending, and takes no call any more. */
  close(): void {
    this.#closed = true;
    for (const call of [...this.#waiting, ...this.#calls.values()]) call.cancel(ending);
  }

  /** The server does not come back by itself: those who wait for it are told. */
  givenUp(error: HostError): void {
    for (const call of [...this.#waiting]) call.fail(error);
  }

  // What the cell tells.

  ready(server: OpenServer, _about: ServerAbout, tools: readonly ServerTool[]): void {
    this.#live = server;
    this.tools(server, tools);
    this.#pump();
  }

  tools(server: OpenServer, tools: readonly ServerTool[]): void {
    if (server !== this.#live) return;
    this.#tools = named(tools);
    this.#options.changed();
  }

  answer(number: number, answer: ServerAnswer): void {
    const call = this.#calls.get(number);
    if (call === undefined) return;
    const maximum = this.#options.limits.toolOutputBytes;
    switch (answer.kind) {
      case 'result':
        return call.succeed(answer.json);
      case 'toolError':
        return call.fail(
          new HostError('tool_failed', answer.text === '' ? `The tool "${call.tool}" failed.` : answer.text, {
            tool: call.tool,
            mcpResult: answer.result,
          }),
        );
      case 'rpcError':
        return call.fail(
          new HostError('tool_failed', `The server refused the call of "${call.tool}": ${answer.message}`, {
            tool: call.tool,
            rpcCode: answer.number,
          }),
        );
      case 'tooLarge':
        return call.fail(
          new HostError(
            'payload_too_large',
            `The tool's result has ${String(answer.bytes)} bytes of JSON; at most ${String(maximum)} are allowed; limits.toolOutputBytes sets this bound.`,
            { what: 'result', limit: 'limits.toolOutputBytes', maximum, bytes: answer.bytes },
          ),
        );
    }
  }

  progressed(number: number, progress: CallProgress): void {
    this.#calls.get(number)?.progressed(progress);
  }

  refused(method: string): void {
    this.#options.refused(method);
  }

  pending(server: OpenServer): number {
    let pending = 0;
    for (const call of this.#calls.values()) if (call.server === server) pending += 1;
    return pending;
  }

  ending(server: OpenServer): void {
    if (this.#live === server) this.#live = undefined;
  }

  /** The calls that were with it may have taken effect: they are not made again. */
  gone(server: OpenServer, why: string): void {
    this.ending(server);
    for (const call of [...this.#calls.values()])
      if (call.server === server)
        call.fail(
          new HostError('tool_crashed', `The MCP server ended while it ran the call of "${call.tool}": ${why}.`, {
            tool: call.tool,
            reason: 'ended',
          }),
        );
  }

  #pump(): void {
    while (!this.#held && this.#calls.size < this.#section.concurrency) {
      // It may end while a call is given to it.
      const server = this.#live;
      if (server === undefined) return;
      const call = this.#waiting.shift();
      if (call === undefined) return;
      const tool = this.#tools.get(call.tool);
      if (tool === undefined) {
        call.fail(unknownTool(call.tool, [...this.#tools.keys()]));
        continue;
      }
      this.#calls.set(call.number, call);
      call.begin(server);
      server.call(call.number, tool.own, call.inputJson);
    }
  }

  /** It is answered; a server that still has it is told. */
  #over(
    call: ServerCall,
    error: HostError | undefined,
    { tookMs, ranMs }: Readonly<Record<'tookMs' | 'ranMs', number>>,
  ): void {
    const { books } = this.#options;
    // A name that the server does not list is anybody's.
    if (error === undefined) books.answered(call.tool, tookMs, ranMs);
    else if (this.#tools.has(call.tool)) books.ended(call.tool, error.code);
    const at = this.#waiting.indexOf(call);
    if (at !== -1) this.#waiting.splice(at, 1);
    const wasWithServer = this.#calls.delete(call.number);
    if (wasWithServer && (error?.code === 'tool_timeout' || error?.code === 'tool_cancelled'))
      call.server?.cancel(call.number, error.message);
    if (error !== undefined && error.code !== 'tool_cancelled') this.#options.failed(error, call.callId);
    this.#pump();
  }
}

const ending = "the plugin's tools are being ended";
const leastRetryMs = 100;

/** Names outside our form are mapped, always to the same. */
function named(tools: readonly ServerTool[]): Map<string, NamedServerTool> {
  const taken = new Set(tools.map(({ name }) => name).filter((name) => nameForm.test(name)));
  const byName = new Map<string, NamedServerTool>();
  for (const tool of tools) {
    const own = tool.name;
    let name = own;
    if (!nameForm.test(own)) {
      const safe = own.replaceAll(/[^A-Za-z0-9._-]/g, '_').replace(/^[.-]/, '_');
      name = safe.length <= 64 && !taken.has(safe) && !byName.has(safe) ? safe : suffixed(safe, own);
    }
    byName.set(name, { ...tool, name, own });
  }
  return byName;
}

const suffixed = (safe: string, own: string): string =>
  `${safe.slice(0, 55)}_${createHash('sha256').update(own).digest('hex').slice(0, 8)}`;
