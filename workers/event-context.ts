// What a handler gets as ctx: the service's, with a log that names the event and a state that the event may write. One
// is made for each event, so it is kept thin: what an event does not ask for is not made.
import { type EffectsOfEvent, type StateChanges, partitionPrefix } from '../protocol/cell/effects.ts';
import type { OutputOptions } from '../protocol/cell/messages.ts';
import type { IngressEvent } from '../protocol/event.ts';
import type { CellLog, PluginLogger } from './cell-log.ts';
import { type CellState, StateDraft, StateView } from './cell-state.ts';
import { EventCommands } from './event-commands.ts';
import type { IngressContext, PluginState, SendOptions, ServiceContext } from './sdk/index.ts';

/** What the contexts of all events have in common. */
export interface SharedContext {
  readonly ctx: ServiceContext;
  readonly log: CellLog;
  readonly state: CellState;
  readonly outputs: OutputOptions | undefined;
}

export class EventContext implements IngressContext {
  readonly #ctx: ServiceContext;
  readonly #cellLog: CellLog;
  readonly #cellState: CellState;
  readonly #outputs: OutputOptions | undefined;
  readonly #event: IngressEvent;
  readonly #partition: number | undefined;
  /** Made when the plugin first asks for its state. */
  #draft: StateDraft | undefined;
  #state: StateView | undefined;
  #commands: EventCommands | undefined;
  #settled = false;

  constructor(shared: SharedContext, event: IngressEvent, partition?: number) {
    this.#ctx = shared.ctx;
    this.#cellLog = shared.log;
    this.#cellState = partition === undefined ? shared.state : shared.state.of(partition);
    this.#outputs = shared.outputs;
    this.#event = event;
    this.#partition = partition;
  }

  static changesOf(ctx: EventContext): EffectsOfEvent | undefined {
    const changed = ctx.#draft?.changes;
    const state = ctx.#partition === undefined ? changed : inPartition(changed, ctx.#partition);
    const commands = ctx.#commands?.sent;
    if (state === undefined && commands === undefined) return undefined;
    return { ...(state === undefined ? {} : { state }), ...(commands === undefined ? {} : { commands }) };
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

  send(output: string, body: unknown, options: SendOptions = {}): string {
    if (this.#settled) throw new Error('ctx.send belongs to the event that is being handled, and this one has ended');
    this.#commands ??= new EventCommands(this.#event.eventId, this.#outputs);
    return this.#commands.add(output, body, options);
  }

  #drafted(): StateDraft {
    this.#draft ??= this.#settled ? StateDraft.closed(this.#cellState) : new StateDraft(this.#cellState);
    return this.#draft;
  }
}

/** With the keys that they have on the host. */
const inPartition = (changes: StateChanges | undefined, partition: number): StateChanges | undefined =>
  changes?.map((part, at) => (at % 2 === 0 && part !== null ? `${partitionPrefix(partition)}${part}` : part));
