// The outputs of one plugin: takes the commands of handled events, keeps those that cannot be delivered, and pauses the
// service while too many wait.
import type { SentCommand } from '../../protocol/cell/effects.ts';
import { HostError } from '../../protocol/errors.ts';
import type { OutputStatus } from '../../protocol/operations/output.ts';
import type { SentCommandView } from '../../protocol/operations/telemetry.ts';
import type { Output } from '../../protocol/outputs.ts';
import type { Change } from '../../protocol/store/change.ts';
import type { Limits } from '../config/schema.ts';
import type { EntryStore } from '../store/entry-store.ts';
import type { Clock } from '../time/clock.ts';
import type { Command, CommandFault, DeadCommand, DeathReason, Driver } from './command.ts';
import { CommandShelf } from './command-shelf.ts';
import { DeliveredCommands, byId, deadView, isOf, pendingView } from './command-views.ts';
import { OutputQueue } from './output-queue.ts';

export interface PluginOutputsOptions {
  readonly plugin: string;
  readonly store: EntryStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limits: Pick<
    Limits,
    'deadLetters' | 'eventTrail' | 'hops' | 'outputConcurrency' | 'pendingCommands' | 'pendingCommandBytes' | 'ttlMs'
  >;
  driverOf(output: Output): Driver;
  tell(level: 'warn' | 'error', event: string, message: string, ids?: CommandIds): void;
  /** Something is wrong with what is stored. */
  onTrouble(message: string, error?: Error): void;
}

export interface CommandIds {
  readonly eventId: string;
  readonly correlationId: string;
}

/** Of the event whose commands they are. */
export interface Sender extends CommandIds {
  readonly hops?: number | undefined;
}

interface Row {
  /** Undefined where the plugin does not declare it any more. */
  output: Output | undefined;
  readonly type: Output['type'] | 'unknown';
  readonly queue: OutputQueue;
  readonly dead: Map<string, DeadCommand>;
}

export class PluginOutputs {
  readonly #options: PluginOutputsOptions;
  readonly #shelf: CommandShelf;
  readonly #rows = new Map<string, Row>();
  readonly #delivered: DeliveredCommands;
  #place = 0;
  #pending = 0;
  #pendingBytes = 0;
  #paused = false;
  #pause: (paused: boolean) => void = () => {};
  #declared: readonly Output[] = [];
  /** Ids of commands that an earlier instance of a placed service had kept: their event may come again. */
  readonly #known = new Set<string>();

  constructor(options: PluginOutputsOptions) {
    this.#options = options;
    const { plugin, store, clock, limits } = options;
    this.#delivered = new DeliveredCommands(limits.eventTrail);
    this.#shelf = new CommandShelf({ plugin, store, clock, onTrouble: (...told) => options.onTrouble(...told) });
  }

  /** Never rejects: commands that cannot be read now are told of, and found by the next daemon. */
  async open(outputs: readonly Output[]): Promise<void> {
    this.declare(outputs);
    await this.#read();
  }

  /** Those that are kept now, in place of what was here. Never rejects. */
  async reread(): Promise<void> {
    this.forget();
    await this.#read();
    for (const { queue, dead } of this.#rows.values()) {
      for (const { id } of queue.all()) this.#known.add(id);
      for (const id of dead.keys()) this.#known.add(id);
    }
  }

  /** Resolves when what has changed is kept, or was refused. Never rejects. */
  settled(): Promise<void> {
    return this.#shelf.settled();
  }

  /** They are another member's now: what is on its way is given up, and nothing more is sent. */
  forget(): void {
    for (const { queue } of this.#rows.values()) queue.close();
    this.#rows.clear();
    this.#known.clear();
    this.#shelf.forget();
    this.#pending = 0;
    this.#pendingBytes = 0;
    this.#weigh();
    this.declare(this.#declared);
  }

  async #read(): Promise<void> {
    try {
      const { pending, dead } = await this.#shelf.read();
      this.#place = Math.max(this.#place, ...[...pending, ...dead].map(({ place }) => place));
      for (const command of pending) this.#push(command);
      for (const one of dead) this.#row(one.output).dead.set(one.id, one);
    } catch (error) {
      this.#options.onTrouble(
        'commands of an earlier daemon cannot be read now',
        error instanceof Error ? error : undefined,
      );
    }
  }

  /** What the plugin declares now. Commands to an output that is gone wait until their time is over. */
  declare(outputs: readonly Output[]): void {
    this.#declared = outputs;
    for (const row of this.#rows.values()) {
      row.output = undefined;
      row.queue.replan(undeclared, this.#options.limits.ttlMs);
    }
    for (const output of outputs) {
      const row = this.#row(output.name, output);
      row.output = output;
      row.queue.replan(this.#options.driverOf(output), output.ttlMs ?? this.#options.limits.ttlMs);
    }
  }

  /**
   * The commands of a handled event, `kept` where they are stored with its outcome. They are sent once `commit` is
   * called, after `changes` are in the store.
   */
  stage(
    event: Sender,
    commands: readonly SentCommand[],
    kept: boolean,
  ): { readonly changes: Change[]; readonly commit: () => void } {
    const createdMs = this.#options.clock.wallMs();
    const made = commands.flatMap((command, at): Command[] => {
      const id = `${event.eventId}/${String(at + 1)}`;
      if (this.#known.has(id)) return [];
      this.#place += 1;
      return [
        {
          ...command,
          id,
          place: this.#place,
          eventId: event.eventId,
          correlationId: event.correlationId,
          hops: (event.hops ?? 0) + 1,
          createdMs,
          kept,
        },
      ];
    });
    return {
      changes: kept ? made.map((command) => this.#shelf.putOf(command)) : [],
      commit: () => {
        for (const command of made) this.#take(command);
      },
    };
  }

  /** So many commands wait that the service is to handle no more events; or fewer again. */
  whenPaused(listener: (paused: boolean) => void): void {
    this.#pause = listener;
    if (this.#paused) listener(true);
  }

  list(): OutputStatus[] {
    return [...this.#rows].flatMap(([name, row]) =>
      row.output === undefined && row.queue.pending === 0 && row.dead.size === 0 ? [] : [this.#view(name, row)],
    );
  }

  show(
    name: string,
    most: number,
  ): { status: OutputStatus; pending: ReturnType<OutputQueue['list']>; dead: DeadCommand[] } {
    const row = this.#require(name);
    return {
      status: this.#view(name, row),
      pending: row.queue.list(most),
      dead: [...row.dead.values()].slice(0, most),
    };
  }

  /** Dead letters are sent again, and commands that wait for their next attempt are tried now. Returns how many. */
  retry(name: string, ids?: readonly string[]): number {
    const row = this.#require(name);
    const chosen = this.#choose(name, row, ids);
    const dead = [...row.dead.values()].filter(({ id }) => chosen(id));
    for (const { reason: _reason, deadMs: _deadMs, attempts: _attempts, error: _error, ...command } of dead) {
      const again = { ...command, createdMs: this.#options.clock.wallMs() };
      this.#exhume(row, command.id);
      if (again.kept) this.#shelf.put(again);
      this.#push(again);
    }
    return dead.length + row.queue.hurry(({ id }) => chosen(id) && !dead.some((one) => one.id === id));
  }

  /** Dead letters, and commands that are named and not being sent at this moment, are removed for good. */
  discard(name: string, ids?: readonly string[]): number {
    const row = this.#require(name);
    const chosen = this.#choose(name, row, ids);
    const dead = [...row.dead.keys()].filter(chosen);
    for (const id of dead) this.#exhume(row, id);
    const pending = ids === undefined ? [] : row.queue.remove(({ id }) => chosen(id));
    for (const command of pending) this.#gone(command);
    return dead.length + pending.length;
  }

  /** What became of the commands of one event, or of those that share a correlation id, as far as it is remembered. */
  about(id: string): SentCommandView[] {
    const rows = [...this.#rows.values()];
    const pending = rows.flatMap(({ queue }) => queue.of(id).map((view) => pendingView(view)));
    const dead = rows.flatMap((row) => [...row.dead.values()].filter((one) => isOf(one, id)).map(deadView));
    return [...this.#delivered.of(id), ...dead, ...pending].sort(byId);
  }

  /** Nothing more is sent. What is in memory alone is lost. */
  close(): void {
    let lost = 0;
    for (const { queue } of this.#rows.values()) {
      lost += queue.all().filter(({ kept }) => !kept).length;
      queue.close();
    }
    this.#shelf.close();
    if (lost > 0)
      this.#options.tell('warn', 'commands_lost', `Commands that were in memory alone are lost: ${String(lost)}.`);
  }

  #take(command: Command): void {
    const { limits } = this.#options;
    if (command.hops <= limits.hops) {
      this.#push(command);
      return;
    }
    const message = `The event came through ${String(command.hops - 1)} outputs already; limits.hops allows ${String(limits.hops)}.`;
    this.#died(command, 'refused', 0, { code: 'hops_exceeded', message });
  }

  #push(command: Command): void {
    this.#pending += 1;
    this.#pendingBytes += command.json.length;
    this.#row(command.output).queue.push(command);
    this.#weigh();
  }

  #row(name: string, output?: Output): Row {
    const known = this.#rows.get(name);
    if (known !== undefined && (output === undefined || known.type === output.type || known.queue.pending > 0))
      return known;
    const { clock, random, limits } = this.#options;
    const row: Row = {
      output,
      type: output?.type ?? 'unknown',
      dead: known?.dead ?? new Map<string, DeadCommand>(),
      queue: new OutputQueue(undeclared, limits.ttlMs, {
        clock,
        random,
        concurrency: limits.outputConcurrency,
        sent: (command, attempts) => {
          this.#delivered.add(command, attempts, clock.wallMs());
          this.#gone(command);
        },
        died: (command, reason, attempts, error) => {
          this.#gone(command);
          this.#died(command, reason, attempts, error);
        },
        troubled: (command, { code, message }) =>
          this.#options.tell(
            'warn',
            'command_retried',
            `A command to ${command.output} could not be delivered and is tried again: ${code}: ${message}`,
            idsOf(command),
          ),
      }),
    };
    this.#rows.set(name, row);
    return row;
  }

  /** It is not on its way any more. */
  #gone(command: Command): void {
    this.#pending -= 1;
    this.#pendingBytes -= command.json.length;
    if (command.kept) this.#shelf.remove(command);
    this.#weigh();
  }

  #died(command: Command, reason: DeathReason, attempts: number, error: CommandFault): void {
    const row = this.#row(command.output);
    const dead: DeadCommand = { ...command, reason, attempts, error, deadMs: this.#options.clock.wallMs() };
    row.dead.set(dead.id, dead);
    this.#shelf.bury(dead);
    for (const oldest of row.dead.keys()) {
      if (row.dead.size <= this.#options.limits.deadLetters) break;
      this.#exhume(row, oldest);
    }
    const why = reason === 'expired' ? 'its time is over' : 'it was refused';
    this.#options.tell(
      'warn',
      'command_dead',
      `A command to ${command.output} is a dead letter, because ${why}: ${error.code}: ${error.message}`,
      idsOf(command),
    );
  }

  #exhume(row: Row, id: string): void {
    const dead = row.dead.get(id);
    if (dead === undefined) return;
    row.dead.delete(id);
    this.#shelf.unbury(dead);
  }

  /** With some room between the two, so that it does not change with every command. */
  #weigh(): void {
    const { pendingCommands, pendingCommandBytes } = this.#options.limits;
    const share = this.#paused ? 0.5 : 1;
    const full = this.#pending >= pendingCommands * share || this.#pendingBytes >= pendingCommandBytes * share;
    if (full === this.#paused) return;
    this.#paused = full;
    this.#pause(full);
    if (full)
      this.#options.tell(
        'warn',
        'outputs_full',
        `The service is paused: ${String(this.#pending)} commands wait to be delivered (limits.pendingCommands, limits.pendingCommandBytes).`,
      );
  }

  #view(name: string, { output, type, queue, dead }: Row): OutputStatus {
    return {
      plugin: this.#options.plugin,
      name,
      type,
      state:
        output === undefined || (queue.pending > 0 && faults.has(queue.lastError?.code ?? ''))
          ? 'faulty'
          : queue.retrying
            ? 'retrying'
            : 'open',
      pending: queue.pending,
      sent: queue.counters.sent,
      failed: queue.counters.failed,
      deadLetters: dead.size,
      lastError:
        queue.lastError === undefined
          ? null
          : {
              code: queue.lastError.code,
              message: queue.lastError.message,
              at: new Date(queue.lastError.atMs).toISOString(),
            },
    };
  }

  #require(name: string): Row {
    const row = this.#rows.get(name);
    if (row !== undefined) return row;
    const outputs = [...this.#rows.keys()];
    throw new HostError(
      'output_not_found',
      `The service of ${this.#options.plugin} declares no output ${JSON.stringify(name)}${outputs.length === 0 ? '' : `; it has ${outputs.join(', ')}`}.`,
      { output: name, outputs },
    );
  }

  /** Without ids: all. If one is not there, nothing is done. */
  #choose(name: string, row: Row, ids: readonly string[] | undefined): (id: string) => boolean {
    if (ids === undefined) return () => true;
    const wanted = new Set(ids);
    const there = new Set([...row.dead.keys(), ...row.queue.all().map(({ id }) => id)]);
    const missing = ids.filter((id) => !there.has(id));
    if (missing.length > 0)
      throw new HostError('command_not_found', `The output ${name} has no command ${missing.join(', ')}.`, {
        ids: missing,
      });
    return (id) => wanted.has(id);
  }
}

/** What only somebody can change. */
const faults: ReadonlySet<string> = new Set(['credential_missing', 'package_missing']);

const idsOf = ({ eventId, correlationId }: Command): CommandIds => ({ eventId, correlationId });

/** Of commands whose output the plugin does not declare any more. */
const undeclared: Driver = {
  send: ({ output }) =>
    Promise.resolve({
      is: 'retry',
      error: { code: 'output_not_found', message: `The plugin does not declare the output ${output} any more.` },
    }),
};
