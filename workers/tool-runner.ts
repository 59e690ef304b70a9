// A plugin's tools inside their cell: imports the plugin at the first call, under that call's own deadline, and runs
// one call at a time. Whatever the tool does becomes an answer made of plain data.
import type {
  CallProgressMessage,
  CellPhase,
  ToolAnswer,
  ToolCellOptions,
  ToolErrorCode,
  ToolTask,
} from '../protocol/cell/tool-messages.ts';
import { flattenError, messageWithCauses } from '../protocol/cell/plain-error.ts';
import { monotonicMs } from '../protocol/cell/register.ts';
import { HostError, type Issue, invalid } from '../protocol/errors.ts';
import { getHeapStatistics } from 'node:v8';
import type { CellLog, PluginLogger } from './cell-log.ts';
import { type SchemaCheck, compileSchema } from './json-schema.ts';
import { importPlugin } from './plugin-module.ts';
import { parseJson } from './primitives.ts';
import type { ToolContext } from './sdk/index.ts';
import { ProgressReports } from './progress-reports.ts';
import { resultJson } from './tool-output.ts';

export interface RanCall {
  readonly answer: ToolAnswer;
  /** The cell is not fit for another call: its import failed, it was aborted, or its heap has grown too large. */
  readonly last: boolean;
  /** It has told of its progress, which must be heard before the answer. */
  readonly reported: boolean;
}

/** Nothing where the schema accepts everything: then there is nothing to check. */
interface ToolChecks {
  readonly input: SchemaCheck | undefined;
  readonly output: SchemaCheck | undefined;
}

type ToolFunction = (input: unknown, ctx: ToolContext) => unknown;

const heapLookMs = 100;
const mebibyte = 1024 * 1024;

export class ToolRunner {
  readonly #options: ToolCellOptions;
  readonly #log: CellLog;
  readonly #enter: (call: number, phase: CellPhase) => void;
  readonly #tellProgress: (message: CallProgressMessage) => void;
  readonly #shared: Pick<ToolContext, 'plugin' | 'config'>;
  readonly #schemas = new Map<string, ToolCellOptions['tools'][number]>();
  readonly #checks = new Map<string, ToolChecks>();
  #tools: object | undefined;
  #importFailed = false;
  #running: CallContext | undefined;
  #heapLookedMs = 0;

  constructor(
    options: ToolCellOptions,
    log: CellLog,
    enter: (call: number, phase: CellPhase) => void,
    tellProgress: (message: CallProgressMessage) => void,
  ) {
    this.#options = options;
    this.#log = log;
    this.#enter = enter;
    this.#tellProgress = tellProgress;
    // The host made this text from the checked configuration.
    const config = parseJson(options.configJson) as Readonly<Record<string, unknown>>;
    for (const tool of options.tools) this.#schemas.set(tool.name, tool);
    this.#shared = { plugin: Object.freeze({ ...options.plugin }), config };
  }

  /** Never rejects. */
  async run(task: ToolTask): Promise<RanCall> {
    const beganMs = monotonicMs();
    const ctx = new CallContext(this.#shared, this.#log, task, this.#tellProgress);
    this.#running = ctx;
    let answer: ToolAnswer;
    try {
      const json = await this.#output(task, ctx);
      answer = { ok: true, json, durationMs: monotonicMs() - beganMs };
    } catch (thrown) {
      answer = { ok: false, error: errorOf(thrown), durationMs: monotonicMs() - beganMs };
    }
    this.#running = undefined;
    const reported = ctx.end();
    return { answer, last: this.#importFailed || ctx.aborted || this.#heapTooLarge(), reported };
  }

  /** Whether a call of this tool begins at once. */
  isCompiled(tool: string): boolean {
    return this.#checks.has(tool);
  }

  abort(call: number, reason: string): void {
    if (this.#running?.call === call) this.#running.abort(reason);
  }

  async #output(task: ToolTask, ctx: CallContext): Promise<string> {
    const { call } = task;
    const checks = this.#checks.get(task.tool) ?? (await this.#compile(task));
    const input = parseJson(task.inputJson);
    if (checks.input !== undefined) {
      // A pattern may take for ever: the host must see what does.
      this.#enter(call, 'checkingInput');
      refuse('tool_input_invalid', `The input of tool "${task.tool}"`, checks.input(input));
      this.#enter(call, 'running');
    }
    const tools = this.#tools ?? (await this.#import(task.call));
    // Its caller was answered while the plugin was being imported.
    if (ctx.aborted) throw new Error('the call is over');
    const json = resultJson(await called(tools, task.tool, input, ctx), this.#options.maxOutputBytes);
    // What is checked is what will be sent: dates are texts there, and what JSON drops is gone.
    if (checks.output !== undefined) {
      this.#enter(call, 'checkingOutput');
      refuse('tool_output_invalid', `The result of tool "${task.tool}"`, checks.output(parseJson(json)));
    }
    return json;
  }

  /** Part of the cell's start: the call's own time begins after it. */
  async #compile({ call, tool }: ToolTask): Promise<ToolChecks> {
    this.#enter(call, 'compiling');
    const schemas = this.#schemas.get(tool);
    const checks = {
      input: await checkOf('inputSchema', schemas?.inputSchema),
      output: await checkOf('outputSchema', schemas?.outputSchema),
    };
    this.#checks.set(tool, checks);
    this.#enter(call, 'running');
    return checks;
  }

  async #import(call: number): Promise<object> {
    this.#enter(call, 'importing');
    let tools: unknown;
    try {
      ({ tools } = await importPlugin(this.#options.entryUrl));
    } catch (thrown) {
      // The module system remembers the failure for this cell's life, so the next call needs a new cell.
      this.#importFailed = true;
      throw new Failure('The plugin could not be imported', thrown, 'import');
    }
    if (typeof tools !== 'object' || tools === null)
      throw new Failure(
        unusable,
        new Error('the entry exports no `tools` object; write `export const tools = { name(input, ctx) {} }`'),
      );
    this.#enter(call, 'running');
    this.#tools = tools;
    return tools;
  }

  #heapTooLarge(): boolean {
    const now = monotonicMs();
    if (now - this.#heapLookedMs < heapLookMs) return false;
    this.#heapLookedMs = now;
    return getHeapStatistics().used_heap_size > this.#options.heapMb * mebibyte;
  }
}

/** What the tool gets as ctx. Made for each call, so what few tools use is made when it is asked for. */
class CallContext implements ToolContext {
  readonly #shared: Pick<ToolContext, 'plugin' | 'config'>;
  readonly #cellLog: CellLog;
  readonly #task: ToolTask;
  readonly #tellProgress: (message: CallProgressMessage) => void;
  #reports: ProgressReports | undefined;
  #controller: AbortController | undefined;
  #reason: string | undefined;

  constructor(
    shared: Pick<ToolContext, 'plugin' | 'config'>,
    cellLog: CellLog,
    task: ToolTask,
    tellProgress: (message: CallProgressMessage) => void,
  ) {
    this.#tellProgress = tellProgress;
    this.#shared = shared;
    this.#cellLog = cellLog;
    this.#task = task;
  }

  get plugin(): ToolContext['plugin'] {
    return this.#shared.plugin;
  }
  get config(): ToolContext['config'] {
    return this.#shared.config;
  }
  get tool(): string {
    return this.#task.tool;
  }
  get callId(): string | undefined {
    return this.#task.callId;
  }
  get log(): PluginLogger {
    return this.#cellLog.logger(this.#task.callId);
  }
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(new Error(this.#reason));
    return this.#controller.signal;
  }

  progress(done: number, total?: number, message?: string): void {
    this.#reports ??= new ProgressReports((progress) =>
      this.#tellProgress({ type: 'callProgress', call: this.#task.call, progress }),
    );
    this.#reports.report(done, total, message);
  }

  /** Whether anything was reported. What is reported later belongs to no call. */
  end(): boolean {
    this.#reports?.end();
    return this.#reports !== undefined;
  }

  get call(): number {
    return this.#task.call;
  }
  get aborted(): boolean {
    return this.#reason !== undefined;
  }
  abort(reason: string): void {
    this.#reason = reason;
    this.#controller?.abort(new Error(reason));
  }
}

/** Something of the plugin failed: what that was, and what it threw. */
class Failure extends Error {
  readonly thrown: unknown;
  readonly phase: 'import' | undefined;

  constructor(what: string, thrown: unknown, phase?: 'import') {
    super(what);
    this.thrown = thrown;
    this.phase = phase;
  }
}

const unusable = 'The plugin has no usable exports';

async function checkOf(schema: string, json: string | undefined): Promise<SchemaCheck | undefined> {
  if (json === undefined || json === '{}' || json === 'true') return undefined;
  try {
    return await compileSchema(json);
  } catch (thrown) {
    throw new Failure(`The tool's ${schema} is not a JSON Schema`, thrown);
  }
}

function refuse(code: ToolErrorCode, subject: string, issues: readonly Issue[] = []): void {
  if (issues.length > 0) throw invalid(code, subject, issues);
}

async function called(tools: object, name: string, input: unknown, ctx: ToolContext): Promise<unknown> {
  const tool = toolOf(tools, name);
  try {
    return await Reflect.apply(tool, tools, [input, ctx]);
  } catch (thrown) {
    throw new Failure(`The tool "${name}" failed`, thrown);
  }
}

/** What every object inherits is a tool only where the plugin made it its own. */
function toolOf(tools: object, name: string): ToolFunction {
  const found: unknown = name in Object.prototype && !Object.hasOwn(tools, name) ? undefined : Reflect.get(tools, name);
  if (typeof found === 'function') return found as ToolFunction;
  const what = found === undefined ? 'is missing' : `is ${found === null ? 'null' : `of type ${typeof found}`}`;
  throw new Failure(
    unusable,
    new Error(
      `tools.${name} ${what}; the manifest declares it, so the entry must export a function of that name in \`tools\``,
    ),
  );
}

function errorOf(thrown: unknown): Extract<ToolAnswer, { ok: false }>['error'] {
  // What the tool threw is inside a Failure, so that a HostError here is a refusal of this cell's own checks.
  if (thrown instanceof HostError)
    return { code: thrown.code as ToolErrorCode, message: thrown.message, details: thrown.details };
  const failure = thrown instanceof Failure ? thrown : new Failure('The tool failed', thrown);
  const cause = flattenError(failure.thrown);
  return {
    code: 'tool_failed',
    message: `${failure.message}: ${messageWithCauses(cause)}`,
    details: { ...(failure.phase === undefined ? {} : { phase: failure.phase }), cause },
  };
}
