// The commands of one output on their way: one after the other for each key, several keys at once, tried again with a
// back-off until their time is over. It knows neither the store nor what kind of output it serves.
import type { HostError } from '../../protocol/errors.ts';
import type { Clock, Timer } from '../time/clock.ts';
import type { Command, CommandFault, DeathReason, Delivery, Driver } from './command.ts';

export interface OutputQueueOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Keys at once. */
  readonly concurrency: number;
  sent(command: Command, attempts: number): void;
  died(command: Command, reason: DeathReason, attempts: number, error: CommandFault): void;
  /** For the first attempt of a command that fails. */
  troubled(command: Command, error: CommandFault): void;
}

interface Waiting {
  readonly command: Command;
  /** When it was made, on a clock that nobody sets: its time is measured there. */
  readonly madeMs: number;
  attempts: number;
  lastError: CommandFault | undefined;
}

/** The commands of one key. */
interface KeyLine {
  readonly commands: Waiting[];
  sending: boolean;
  /** Until when the first one waits for its next attempt. */
  dueMs: number | undefined;
  timer: Timer | undefined;
}

export interface PendingView {
  readonly command: Command;
  readonly attempts: number;
  readonly lastError: CommandFault | undefined;
  readonly nextMs: number | undefined;
}

const backoffMs = [1000, 60_000] as const;

export class OutputQueue {
  readonly #options: OutputQueueOptions;
  readonly #keys = new Map<string, KeyLine>();
  /** Keys whose first command may be sent now, in the order in which that came to be. */
  #ready: KeyLine[] = [];
  #driver: Driver;
  #ttlMs: number;
  #sending = 0;
  #pending = 0;
  #closed = false;
  readonly #abort = new AbortController();
  readonly counters = { sent: 0, failed: 0 };
  lastError: (CommandFault & { readonly atMs: number }) | undefined;

  constructor(driver: Driver, ttlMs: number, options: OutputQueueOptions) {
    this.#driver = driver;
    this.#ttlMs = ttlMs;
    this.#options = options;
  }

  get pending(): number {
    return this.#pending;
  }

  /** Nothing is being sent, and something waits for its next attempt. */
  get retrying(): boolean {
    return this.#pending > 0 && this.#sending === 0 && this.#ready.length === 0;
  }

  /** From the next attempt on. */
  replan(driver: Driver, ttlMs: number): void {
    this.#driver = driver;
    this.#ttlMs = ttlMs;
  }

  push(command: Command): void {
    if (this.#closed) return;
    const key = command.key ?? '';
    let line = this.#keys.get(key);
    if (line === undefined) {
      line = { commands: [], sending: false, dueMs: undefined, timer: undefined };
      this.#keys.set(key, line);
    }
    const { clock } = this.#options;
    const madeMs = clock.steadyMs() - Math.max(0, clock.wallMs() - command.createdMs);
    line.commands.push({ command, madeMs, attempts: 0, lastError: undefined });
    this.#pending += 1;
    if (line.commands.length === 1) this.#makeReady(line);
  }

  /** In the order of their places. */
  list(most: number): PendingView[] {
    return [...this.#keys.values()]
      .flatMap(({ commands, dueMs }) =>
        commands
          .slice(0, most)
          .map(({ command, attempts, lastError }, at) => ({
            command,
            attempts,
            lastError,
            nextMs: at === 0 ? dueMs : undefined,
          })),
      )
      .sort((one, other) => one.command.place - other.command.place)
      .slice(0, most);
  }

  /** Of one event, or of those that share a correlation id. */
  of(id: string): PendingView[] {
    return this.list(Infinity).filter(({ command }) => command.eventId === id || command.correlationId === id);
  }

  all(): Command[] {
    return [...this.#keys.values()].flatMap(({ commands }) => commands.map(({ command }) => command));
  }

  /** Those that wait for their next attempt are tried now. Returns how many these are; `which` picks. */
  hurry(which: (command: Command) => boolean): number {
    let hurried = 0;
    for (const line of this.#keys.values()) {
      const [first] = line.commands;
      if (line.dueMs === undefined || first === undefined || !which(first.command)) continue;
      this.#makeReady(line);
      hurried += 1;
    }
    return hurried;
  }

  /** Takes out what is not being sent at this moment. */
  remove(which: (command: Command) => boolean): Command[] {
    const removed: Command[] = [];
    for (const [key, line] of this.#keys) {
      const [first] = line.commands;
      const kept = line.commands.filter((one) => (one === first && line.sending) || !which(one.command));
      if (kept.length === line.commands.length) continue;
      removed.push(...line.commands.filter((one) => !kept.includes(one)).map(({ command }) => command));
      line.commands.splice(0, line.commands.length, ...kept);
      if (kept.length === 0) this.#drop(key, line);
      else if (kept[0] !== first && !line.sending) this.#makeReady(line);
    }
    this.#pending -= removed.length;
    return removed;
  }

  /** Nothing more is sent, and what is being sent is given up. */
  close(): void {
    this.#closed = true;
    this.#abort.abort(new Error('the output is closed'));
    for (const line of this.#keys.values()) line.timer?.cancel();
  }

  #drop(key: string, line: KeyLine): void {
    line.timer?.cancel();
    this.#keys.delete(key);
    this.#ready = this.#ready.filter((one) => one !== line);
  }

  #makeReady(line: KeyLine): void {
    line.timer?.cancel();
    line.timer = undefined;
    line.dueMs = undefined;
    if (!this.#ready.includes(line)) this.#ready.push(line);
    this.#pump();
  }

  #pump(): void {
    while (!this.#closed && this.#sending < this.#options.concurrency) {
      const line = this.#ready.shift();
      if (line === undefined) return;
      const [first] = line.commands;
      if (first !== undefined) this.#send(line, first);
    }
  }

  #send(line: KeyLine, waiting: Waiting): void {
    const expiresMs = waiting.madeMs + this.#ttlMs;
    if (this.#options.clock.steadyMs() >= expiresMs && waiting.attempts > 0) {
      this.#die(line, waiting, 'expired', waiting.lastError ?? neverTried);
      return;
    }
    waiting.attempts += 1;
    line.sending = true;
    this.#sending += 1;
    void this.#driver.send(waiting.command, this.#abort.signal).then((delivery) => {
      line.sending = false;
      this.#sending -= 1;
      if (!this.#closed) this.#delivered(line, waiting, delivery, expiresMs);
    });
  }

  #delivered(line: KeyLine, waiting: Waiting, delivery: Delivery, expiresMs: number): void {
    const { clock, random, sent, troubled } = this.#options;
    if (delivery.is === 'sent') {
      this.counters.sent += 1;
      this.#next(line);
      sent(waiting.command, waiting.attempts);
      this.#pump();
      return;
    }
    this.counters.failed += 1;
    waiting.lastError = delivery.error;
    this.lastError = { ...delivery.error, atMs: clock.wallMs() };
    if (delivery.is === 'refused') {
      this.#die(line, waiting, 'refused', delivery.error);
      return;
    }
    if (waiting.attempts === 1) troubled(waiting.command, delivery.error);
    const [least, most] = backoffMs;
    const steps = Math.min(waiting.attempts - 1, 20);
    const delayMs = Math.max(Math.min(most, least * 2 ** steps) * (0.5 + random() / 2), delivery.afterMs ?? 0);
    if (clock.steadyMs() + delayMs >= expiresMs) {
      this.#die(line, waiting, 'expired', delivery.error);
      return;
    }
    line.dueMs = clock.wallMs() + delayMs;
    line.timer = clock.after(Math.ceil(delayMs), () => this.#makeReady(line));
    this.#pump();
  }

  #die(line: KeyLine, waiting: Waiting, reason: DeathReason, error: CommandFault): void {
    this.#next(line);
    this.#options.died(waiting.command, reason, waiting.attempts, error);
    this.#pump();
  }

  /** The first command of the key is done with. */
  #next(line: KeyLine): void {
    const done = line.commands.shift();
    this.#pending -= 1;
    if (line.commands.length > 0) {
      if (!this.#ready.includes(line)) this.#ready.push(line);
      return;
    }
    this.#drop(done?.command.key ?? '', line);
  }
}

const neverTried: CommandFault = { code: 'internal', message: 'The command was never tried.' };

export const faultOf = ({ code, message }: HostError): CommandFault => ({ code, message });
