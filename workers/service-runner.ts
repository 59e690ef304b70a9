// A service inside its cell: imports the plugin, holds its context, and answers the host's calls with plain data.
import type {
  BatchMessage,
  CellAnswer,
  CellMessage,
  ServiceCellApi,
  ServiceCellOptions,
} from '../protocol/cell/messages.ts';
import { flattenError } from '../protocol/cell/plain-error.ts';
import type { ProgressRegister } from '../protocol/cell/register.ts';
import type { IngressEvent } from '../protocol/event.ts';
import type { CellLog, PluginLogger } from './cell-log.ts';
import { type SchemaCheck, compileSchema } from './json-schema.ts';
import { LaneExecutor, outputOf } from './lane-executor.ts';
import type { LaneReports } from './lane-reports.ts';
import { MissingExport, importPlugin } from './plugin-module.ts';
import { parseJson } from './primitives.ts';
import { ProfileService } from './profile-service.ts';
import type { Service, ServiceContext } from './sdk/index.ts';

interface Loaded {
  readonly service: Service;
  readonly ctx: ServiceContext;
  readonly checks: ReadonlyMap<string, SchemaCheck>;
  readonly executor: LaneExecutor;
  readonly maxStatusBytes: number;
}

type Phase = Extract<CellAnswer<unknown>, { ok: false }>['phase'];

export class ServiceRunner {
  readonly api: ServiceCellApi;
  readonly #register: ProgressRegister;
  readonly #reports: LaneReports;
  readonly #log: CellLog;
  readonly #post: (message: CellMessage) => void;
  readonly #abort = new AbortController();
  #loaded: Loaded | undefined;
  #profile: ProfileService | undefined;

  constructor(register: ProgressRegister, reports: LaneReports, log: CellLog, post: (message: CellMessage) => void) {
    this.#register = register;
    this.#reports = reports;
    this.#log = log;
    this.#post = post;
    this.api = {
      load: (options) => answer('import', () => this.#load(options)),
      start: () => answer('start', () => this.#do(({ service, ctx }) => service.start(ctx))),
      stop: () => answer('stop', () => this.#do(({ service, ctx }) => service.stop?.(ctx))),
      status: () => answer('status', () => this.#status()),
    };
  }

  execute(batch: BatchMessage): void {
    this.#loaded?.executor.push(batch);
  }

  abort(reason: string): void {
    this.#abort.abort(new Error(reason));
    this.#profile?.abort(reason);
  }

  cancel(turn: number, reason: string): void {
    this.#profile?.cancel(turn, reason);
  }

  /** What was said and is not out yet: before the cell ends. */
  flush(): void {
    this.#profile?.flush();
  }

  async #load(options: ServiceCellOptions): Promise<{ hasStatus: boolean; hasStop: boolean }> {
    const checks = new Map<string, SchemaCheck>();
    for (const [ingress, schema] of Object.entries(options.payloadSchemas))
      checks.set(ingress, await compileSchema(schema));
    const module = await importPlugin(options.entryUrl);
    if (options.profile !== undefined)
      this.#profile = new ProfileService(module, options.profile, this.#log, this.#post);
    const service: Service = options.importOnly === true ? idleService : (this.#profile ?? serviceOf(module));
    const ctx = this.#context(options);
    const executor = new LaneExecutor(
      this.#register,
      this.#reports,
      {
        payloadIssues: (event) => checks.get(event.ingress)?.(event.payload) ?? [],
        handle: (event) => service.handleIngress(event, new EventContext(ctx, this.#log, event)),
      },
      { maxOutputBytes: options.maxOutputBytes, pausesOnFailure: options.pausesOnFailure === true },
    );
    this.#loaded = { service, ctx, checks, executor, maxStatusBytes: options.maxOutputBytes };
    return { hasStatus: typeof service.status === 'function', hasStop: typeof service.stop === 'function' };
  }

  #context(options: ServiceCellOptions): ServiceContext {
    return {
      plugin: Object.freeze({ ...options.plugin }),
      // The host made this text from the checked configuration.
      config: parseJson(options.configJson) as Record<string, unknown>,
      log: this.#log.logger(),
      signal: this.#abort.signal,
      incarnation: options.incarnation,
    };
  }

  async #do(act: (loaded: Loaded) => unknown): Promise<null> {
    if (this.#loaded === undefined) throw new Error('the plugin is not loaded');
    await act(this.#loaded);
    return null;
  }

  async #status(): Promise<string> {
    if (this.#loaded === undefined) throw new Error('the plugin is not loaded');
    const made = outputOf(await this.#loaded.service.status?.(), this.#loaded.maxStatusBytes);
    if (!made.ok) throw new Error(made.reason);
    return made.json;
  }
}

/** What the handler gets as ctx: the service's, with a log that names the event. Made for each event, so kept thin. */
class EventContext implements ServiceContext {
  readonly #ctx: ServiceContext;
  readonly #cellLog: CellLog;
  readonly #event: IngressEvent;

  constructor(ctx: ServiceContext, cellLog: CellLog, event: IngressEvent) {
    this.#ctx = ctx;
    this.#cellLog = cellLog;
    this.#event = event;
  }

  get plugin(): ServiceContext['plugin'] {
    return this.#ctx.plugin;
  }
  get config(): ServiceContext['config'] {
    return this.#ctx.config;
  }
  get signal(): AbortSignal {
    return this.#ctx.signal;
  }
  get incarnation(): number {
    return this.#ctx.incarnation;
  }
  get log(): PluginLogger {
    return this.#cellLog.logger(this.#event.correlationId);
  }
}

/** Of a cell in which the plugin is only imported. */
const idleService: Service = { start: () => undefined, handleIngress: () => undefined };

function serviceOf(module: { readonly service?: unknown }): Service {
  const { service } = module;
  if (typeof service !== 'object' || service === null)
    throw new MissingExport(
      'the entry exports no `service` object; write `export const service = { start(ctx) {}, handleIngress(event, ctx) {} }`',
    );
  for (const name of ['start', 'handleIngress']) {
    if (typeof Reflect.get(service, name) !== 'function') throw new MissingExport(`service.${name} must be a function`);
  }
  for (const name of ['status', 'stop']) {
    const member: unknown = Reflect.get(service, name);
    if (member !== undefined && typeof member !== 'function')
      throw new MissingExport(`service.${name} must be a function where it is given`);
  }
  // Checked member by member above.
  return service as Service;
}

async function answer<Value>(phase: Phase, act: () => Promise<Value>): Promise<CellAnswer<Value>> {
  try {
    return { ok: true, value: await act() };
  } catch (thrown) {
    return { ok: false, phase: thrown instanceof MissingExport ? 'exports' : phase, error: flattenError(thrown) };
  }
}
