// The tools of one plugin: takes a call, finds its tool, and answers in bounded time whatever the tool does. Nothing
// here touches a service or its queue.
import { pathToFileURL } from 'node:url';
import type { LogDroppedMessage, LogMessage } from '../../protocol/cell/messages.ts';
import type { ToolCellOptions, ToolTask } from '../../protocol/cell/tool-messages.ts';
import { callNumberSpan } from '../../protocol/cell/tool-register.ts';
import { longestMs } from '../../protocol/durations.ts';
import { type ErrorCode, HostError } from '../../protocol/errors.ts';
import { EncodedJson, encodeJson } from '../../protocol/json-rpc.ts';
import type { ToolIsolation, ToolSection } from '../../protocol/manifest.ts';
import { cellGrants, permissionArgs } from '../isolates/permissions.ts';
import type { CellRecorder } from '../cells/process/process-cell.ts';
import type { Clock } from '../time/clock.ts';
import type { Limits } from '../config/schema.ts';
import { type PluginAccount, lossAccount } from '../files/loss-account.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import { realClock } from '../time/real-clock.ts';
import { AnsweredCalls } from './answered-calls.ts';
import { spareThreads } from './call-queue.ts';
import { childProcesses } from './pools/process/child-processes.ts';
import { Deadlines } from '../time/deadlines.ts';
import { freshThreads } from './pools/fresh/fresh-threads.ts';
import { type CallOwner, type CallWaiter, PendingCall } from './pending-call.ts';
import { pooledThreads } from './pools/pooled/pooled-threads.ts';
import { cancelled, inputTooLarge, unknownTool } from './tool-errors.ts';
import { ToolBooks } from './tool-books.ts';
import { ToolLane } from './tool-lane.ts';
import type { PoolListener, PoolSpec, ToolPool } from './pools/tool-pool.ts';

export interface ToolRequest {
  readonly tool: string;
  /** `EncodedJson`, where it is known to be JSON and was not taken apart. */
  readonly input: unknown;
  /** Instead of the tool's own. */
  readonly timeoutMs?: number | undefined;
  /** Its reason says who wants the call ended. */
  readonly signal: AbortSignal;
  readonly callId?: string | undefined;
}

export interface ToolDeps {
  readonly limits: Limits;
  readonly env: Readonly<Record<string, string>>;
  log(message: LogMessage | LogDroppedMessage): void;
  /** What the plugin is to blame for: calls that failed by its doing, and cells that ended without a call. */
  failed(error: HostError, callId?: string): void;
  /** A cell that did not end in time has ended after all. */
  leftBehindEnded?(): void;
  readonly clock?: Clock;
  readonly records?: CellRecorder;
  /** Where its calls are counted. */
  readonly books?: ToolBooks;
}

const pools: Readonly<Record<ToolIsolation, (spec: PoolSpec, listener: PoolListener) => Promise<ToolPool>>> = {
  pooled: pooledThreads,
  fresh: freshThreads,
  process: childProcesses,
};

/** Codes by which a call ends through the plugin's own fault. */
const pluginsFault: ReadonlySet<ErrorCode> = new Set([
  'tool_timeout',
  'tool_failed',
  'tool_crashed',
  'tool_output_invalid',
  'payload_too_large',
]);

const ending = "the plugin's tools are being ended";

export class PluginTools {
  readonly #plugin: LoadedPlugin;
  readonly #deps: ToolDeps;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #answered: AnsweredCalls;
  readonly #tools: ReadonlyMap<string, ToolSection>;
  readonly #lanes = new Map<ToolIsolation, { readonly lane: ToolLane; readonly owner: CallOwner }>();
  readonly #account: PluginAccount;
  readonly #books: ToolBooks;
  #pending = 0;
  #arrivals = 0;
  #closed = false;
  #held = false;

  constructor(plugin: LoadedPlugin, deps: ToolDeps) {
    this.#plugin = plugin;
    this.#account = lossAccount.of(plugin.id);
    this.#deps = deps;
    this.#books = deps.books ?? new ToolBooks();
    this.#clock = deps.clock ?? realClock;
    this.#deadlines = new Deadlines(this.#clock);
    this.#answered = new AnsweredCalls(this.#clock);
    this.#tools = new Map(plugin.manifest.tools.map((tool) => [tool.name, tool]));
  }

  /** Calls that have not been answered. */
  get pending(): number {
    return this.#pending;
  }

  /** Threads and processes that exist, those being ended included. */
  get threads(): number {
    let threads = 0;
    for (const { lane } of this.#lanes.values()) threads += lane.cells;
    return threads;
  }

  /** Threads and processes that did not end in time and still exist. */
  get unkillable(): number {
    let unkillable = 0;
    for (const { lane } of this.#lanes.values()) unkillable += lane.leftBehind;
    return unkillable;
  }

  /** Throws what it refuses; from then on the waiter hears of the end. */
  call({ tool: name, input, timeoutMs, signal, callId }: ToolRequest, waiter: CallWaiter): void {
    const tool = this.#tools.get(name);
    if (tool === undefined) throw unknownTool(name, [...this.#tools.keys()]);
    const inputJson = inputText(name, input, this.#deps.limits.toolInputBytes);
    if (this.#closed || signal.aborted)
      throw cancelled({ toolName: name, phase: 'queued', waitedMs: 0 }, this.#closed ? ending : signal.reason);
    const { lane, owner } = this.#lane(tool.isolation);
    try {
      lane.requireRoom(name);
    } catch (refusal) {
      if (refusal instanceof HostError) this.#books.ended(name, refusal.code);
      throw refusal;
    }
    this.#arrivals += 1;
    this.#pending += 1;
    this.#account.add('calls', 1);
    // Call numbers begin again before they outgrow their place in a register; 0 stands for none.
    const number = 1 + (this.#arrivals % (callNumberSpan - 1));
    const task: ToolTask =
      callId === undefined ? { call: number, tool: name, inputJson } : { call: number, tool: name, inputJson, callId };
    const call = new PendingCall(
      { task, arrival: this.#arrivals, timeoutMs: Math.min(timeoutMs ?? tool.timeoutMs, longestMs), signal, waiter },
      owner,
    );
    lane.add(call);
  }

  hold(held: boolean): void {
    if (this.#held === held) return;
    this.#held = held;
    for (const { lane } of this.#lanes.values()) lane.hold(held);
  }

  /** Answers what is pending, ends every thread and process, and takes no call any more. */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    const closing = [...this.#lanes.values()].map(({ lane }) => lane.close(deadlineMs, ending));
    await Promise.all(closing);
  }

  #lane(isolation: ToolIsolation): { readonly lane: ToolLane; readonly owner: CallOwner } {
    const known = this.#lanes.get(isolation);
    if (known !== undefined) return known;
    const { limits } = this.#deps;
    const lane: ToolLane = new ToolLane({
      clock: this.#clock,
      threads: limits.toolThreads,
      abortGraceMs: limits.abortGraceMs,
      held: this.#held,
      mayWait: () => this.#waiting() < limits.toolQueue,
      makePool: () =>
        pools[isolation](this.#poolSpec(isolation), {
          log: (message) => this.#deps.log(message),
          troubled: (error) => this.#deps.failed(error),
          gone: (leftBehind) => {
            if (leftBehind) this.#deps.leftBehindEnded?.();
            lane.pump();
          },
        }),
    });
    const owner: CallOwner = {
      clock: this.#clock,
      deadlines: this.#deadlines,
      isolation,
      startMs: limits.toolStartMs,
      answered: (call, outcome) => {
        this.#pending -= 1;
        this.#account.add('calls', -1);
        this.#answered.add(call);
        if (!(outcome instanceof HostError)) {
          this.#books.answered(call.toolName, this.#clock.monotonicMs() - call.arrivedMs, outcome.durationMs);
          return;
        }
        this.#books.ended(call.toolName, outcome.code);
        if (pluginsFault.has(outcome.code)) this.#deps.failed(outcome, call.task.callId);
      },
      givenUp: (call, reason) => lane.giveUp(call, reason),
    };
    const made = { lane, owner };
    this.#lanes.set(isolation, made);
    return made;
  }

  #waiting(): number {
    let waiting = 0;
    for (const { lane } of this.#lanes.values()) waiting += lane.waiting;
    return waiting;
  }

  #poolSpec(isolation: ToolIsolation): PoolSpec {
    const { manifest, entry, folder, config, keptSocket } = this.#plugin;
    const { limits, env, records } = this.#deps;
    const cell: ToolCellOptions = {
      plugin: { id: manifest.id, name: manifest.name, version: manifest.version },
      entryUrl: pathToFileURL(entry).href,
      configJson: JSON.stringify(config),
      tools: manifest.tools
        .filter((tool) => tool.isolation === isolation)
        .map(({ name, inputSchema, outputSchema }) => ({
          name,
          inputSchema: JSON.stringify(inputSchema),
          outputSchema: JSON.stringify(outputSchema),
        })),
      logBytesPerSecond: manifest.limits.logBytesPerSecond,
      maxOutputBytes: limits.toolOutputBytes,
      heapMb: manifest.limits.heapMb,
      grants: cellGrants(manifest.permissions, keptSocket),
    };
    return {
      folder,
      cell,
      rssMb: manifest.limits.rssMb,
      descriptors: manifest.limits.descriptors,
      env,
      execArgv: permissionArgs(manifest.permissions, folder, keptSocket),
      maxCells: limits.toolThreads + spareThreads,
      limits,
      clock: this.#clock,
      ...(records === undefined ? {} : { records }),
    };
  }
}

/** No character has more bytes in UTF-8. */
const mostCharacterBytes = 3;

/** What the bound counts are the bytes of JSON without spaces: a text that may be beyond it is written again. */
function inputText(tool: string, input: unknown, maximum: number): string {
  const given = encodeJson(input);
  if (given.length * mostCharacterBytes <= maximum) return given;
  const json = input instanceof EncodedJson ? JSON.stringify(JSON.parse(given)) : given;
  const bytes = Buffer.byteLength(json);
  if (bytes > maximum) throw inputTooLarge(tool, bytes, maximum);
  return json;
}
