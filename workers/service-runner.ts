// A service inside its cell: imports the plugin, holds its context, and answers the host's calls with plain data.
import type {
  BatchMessage,
  CellAnswer,
  CellMessage,
  ServiceCellApi,
  ServiceCellOptions,
  StartedService,
} from '../protocol/cell/messages.ts';
import { flattenError } from '../protocol/cell/plain-error.ts';
import type { ProgressRegister } from '../protocol/cell/register.ts';
import type { CellLog } from './cell-log.ts';
import { EventContext } from './event-context.ts';
import { type SchemaCheck, compileSchema } from './json-schema.ts';
import { LaneExecutor, outputOf } from './lane-executor.ts';
import type { LaneReports } from './lane-reports.ts';
import { CellState, StateDraft, StateView } from './cell-state.ts';
import { MissingExport, importPlugin } from './plugin-module.ts';
import { parseJson } from './primitives.ts';
import { ProfileService } from './profile-service.ts';
import type { Service, ServiceContext } from './sdk/index.ts';

interface Loaded {
  readonly service: Service;
  readonly ctx: ServiceContext;
  readonly state: CellState;
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
  /** What `start` changes of the state; closed when it has returned. */
  #draft: StateDraft | undefined;
  #profile: ProfileService | undefined;

  constructor(register: ProgressRegister, reports: LaneReports, log: CellLog, post: (message: CellMessage) => void) {
    this.#register = register;
    this.#reports = reports;
    this.#log = log;
    this.#post = post;
    this.api = {
      load: (options) => answer('import', () => this.#load(options)),
      start: (state) => answer('start', () => this.#start(state)),
      stop: () => answer('stop', () => this.#stop()),
      status: () => answer('status', () => this.#status()),
    };
  }

  execute(batch: BatchMessage): void {
    this.#loaded?.executor.push(batch);
  }

  /** It was changed by another incarnation since this one started. */
  replaceState(json: string): void {
    this.#loaded?.state.replace(json);
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
      this.#profile = new ProfileService(module, options.profile, this.#log, this.#reports, this.#post);
    const service: Service = options.importOnly === true ? idleService : (this.#profile ?? serviceOf(module));
    const state = new CellState(options.maxStateBytes);
    const ctx = this.#context(options, state);
    const shared = { ctx, log: this.#log, state, outputs: options.outputs };
    let current: EventContext | undefined;
    const executor = new LaneExecutor(
      this.#register,
      this.#reports,
      {
        payloadIssues: (event) => checks.get(event.ingress)?.(event.payload) ?? [],
        handle: (event, partition) =>
          service.handleIngress(event, (current = new EventContext(shared, event, partition))),
        changes: () => (current === undefined ? undefined : EventContext.changesOf(current)),
        settle: (handled) => {
          if (current !== undefined) EventContext.settle(current, handled);
          current = undefined;
        },
      },
      { maxOutputBytes: options.maxOutputBytes, pausesOnFailure: options.pausesOnFailure === true },
    );
    this.#loaded = { service, ctx, state, checks, executor, maxStatusBytes: options.maxOutputBytes };
    return { hasStatus: typeof service.status === 'function', hasStop: typeof service.stop === 'function' };
  }

  #context(options: ServiceCellOptions, state: CellState): ServiceContext {
    const closed = StateDraft.closed(state);
    return {
      plugin: Object.freeze({ ...options.plugin }),
      // The host made this text from the checked configuration.
      config: parseJson(options.configJson) as Record<string, unknown>,
      log: this.#log.logger(),
      signal: this.#abort.signal,
      incarnation: options.incarnation,
      state: new StateView(() => this.#draft ?? closed),
    };
  }

  #require(): Loaded {
    if (this.#loaded === undefined) throw new Error('the plugin is not loaded');
    return this.#loaded;
  }

  async #start(json: string | undefined): Promise<StartedService> {
    const { service, ctx, state } = this.#require();
    state.replace(json);
    const draft = new StateDraft(state);
    this.#draft = draft;
    try {
      await service.start(ctx);
    } finally {
      this.#draft = undefined;
    }
    const changes = draft.changes ?? null;
    draft.close(true);
    return { state: changes };
  }

  async #stop(): Promise<null> {
    const { service, ctx } = this.#require();
    await service.stop?.(ctx);
    return null;
  }

  async #status(): Promise<string> {
    const { service, maxStatusBytes } = this.#require();
    const made = outputOf(await service.status?.(), maxStatusBytes);
    if (!made.ok) throw new Error(made.reason);
    return made.json;
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
