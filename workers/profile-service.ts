// Makes a plugin's profile look like a service to the runner: there is nothing to start, and each input is one event.
// It adds what only an input has: what is said to it, its past, and a signal of its own.
import type { CellMessage, ProfileCellOptions, ProfilePayload } from '../protocol/cell/messages.ts';
import type { IngressEvent } from '../protocol/event.ts';
import type { CellLog } from './cell-log.ts';
import type { LaneReports } from './lane-reports.ts';
import { MissingExport, type PluginModule } from './plugin-module.ts';
import { captured } from './primitives.ts';
import { SayBuffer } from './say-buffer.ts';
import type { HistoryItem, IngressContext, Profile, ProfileContext, Service } from './sdk/index.ts';

interface CurrentInput {
  readonly number: number;
  readonly said: SayBuffer;
  readonly abort: AbortController;
}

/** A flood of late pieces is told in one message. */
const lateReportMs = 1000;

export class ProfileService implements Service {
  readonly #profile: Profile;
  readonly #options: ProfileCellOptions;
  readonly #log: CellLog;
  readonly #reports: LaneReports;
  readonly #post: (message: CellMessage) => void;
  #turn: CurrentInput | undefined;
  #late = 0;
  #reportPending = false;

  constructor(
    module: PluginModule,
    options: ProfileCellOptions,
    log: CellLog,
    reports: LaneReports,
    post: (message: CellMessage) => void,
  ) {
    this.#profile = profileOf(module, options.name);
    this.#options = options;
    this.#log = log;
    this.#reports = reports;
    this.#post = post;
  }

  start(): void {}

  /** One at a time: the lane executor sees to that. Its pieces are out before it ends, however it ends. */
  async handleIngress(event: IngressEvent, ctx: IngressContext): Promise<void> {
    // The host made this payload.
    const { turn: number, content, history } = event.payload as ProfilePayload;
    const turn = this.#begin(number, event.correlationId);
    this.#turn = turn;
    const { correlationId: eventId, createdAt } = event;
    const kind = event.kind === 'system' ? 'system' : 'user';
    try {
      await this.#profile.onInput({ eventId, kind, content, createdAt }, this.#context(ctx, turn, history));
    } finally {
      turn.said.close();
      this.#turn = undefined;
    }
  }

  /** An input that has ended, or another than the present one, is not touched. */
  cancel(number: number, reason: string): void {
    if (this.#turn?.number === number) this.abort(reason);
  }

  abort(reason: string): void {
    // By this name `fetch` and its like are known to have been given up.
    this.#turn?.abort.abort(Object.assign(new Error(reason), { name: 'AbortError' }));
  }

  /** Before the cell ends. */
  flush(): void {
    this.#turn?.said.flush();
    this.#reportLate();
  }

  #begin(number: number, eventId: string): CurrentInput {
    let told = false;
    const late = (): void => {
      this.#late += 1;
      if (!told)
        this.#log.write('warn', 'log', 'ctx.say came after the end of its input; it is dropped', undefined, eventId);
      told = true;
      this.#reportLater();
    };
    return {
      number,
      said: new SayBuffer(this.#options, (text) => this.#reports.said(number, text), late),
      abort: new AbortController(),
    };
  }

  #context(ctx: IngressContext, { said, abort }: CurrentInput, history: readonly HistoryItem[]): ProfileContext {
    const { plugin, config, log, incarnation } = ctx;
    return {
      plugin,
      config,
      log,
      incarnation,
      get state() {
        return ctx.state;
      },
      worker: this.#options.worker,
      signal: abort.signal,
      say: (text) => said.say(text),
      // Each its own: what the program does to them stays with it.
      history: () => history.map((item) => ({ ...item })),
    };
  }

  #reportLater(): void {
    if (this.#reportPending) return;
    this.#reportPending = true;
    captured
      .setTimeout(() => {
        this.#reportPending = false;
        this.#reportLate();
      }, lateReportMs)
      .unref();
  }

  #reportLate(): void {
    if (this.#late === 0) return;
    this.#post({ type: 'sayDropped', pieces: this.#late });
    this.#late = 0;
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function profileOf({ profiles }: PluginModule, name: string): Profile {
  const found: unknown = isObject(profiles) && Object.hasOwn(profiles, name) ? Reflect.get(profiles, name) : undefined;
  const example = `\`export const profiles = { ${JSON.stringify(name)}: { onInput(input, ctx) {} } }\``;
  if (!isObject(found))
    throw new MissingExport(`the entry exports no profile ${JSON.stringify(name)}; write ${example}`);
  if (typeof Reflect.get(found, 'onInput') !== 'function')
    throw new MissingExport(`profiles[${JSON.stringify(name)}].onInput must be a function; write ${example}`);
  // Its one member was checked above.
  return found as Profile;
}
