// What a handler gets as ctx: the service's, with a log that names the event and a state that the event may write. One
// is made for each event, so it is kept thin: what an event does not ask for is not made.
import type { StateChanges } from '../protocol/cell/effects.ts';
import type { IngressEvent } from '../protocol/event.ts';
import type { CellLog, PluginLogger } from './cell-log.ts';
import { type CellState, StateDraft, StateView } from './cell-state.ts';
import type { PluginState, ServiceContext } from './sdk/index.ts';

export class EventContext implements ServiceContext {
  readonly #ctx: ServiceContext;
  readonly #cellLog: CellLog;
  readonly #cellState: CellState;
  readonly #event: IngressEvent;
  /** Made when the plugin first asks for its state. */
  #draft: StateDraft | undefined;
  #state: StateView | undefined;
  #settled = false;

  constructor(ctx: ServiceContext, cellLog: CellLog, cellState: CellState, event: IngressEvent) {
    this.#ctx = ctx;
    this.#cellLog = cellLog;
    this.#cellState = cellState;
    this.#event = event;
  }

  static changesOf(ctx: EventContext): { readonly state: StateChanges } | undefined {
    const state = ctx.#draft?.changes;
    return state === undefined ? undefined : { state };
  }

  static settle(ctx: EventContext, handled: boolean): void {
    ctx.#settled = true;
    ctx.#draft?.close(handled);
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
  get state(): PluginState {
    return (this.#state ??= new StateView(() => this.#drafted()));
  }

  #drafted(): StateDraft {
    this.#draft ??= this.#settled ? StateDraft.closed(this.#cellState) : new StateDraft(this.#cellState);
    return this.#draft;
  }
}
