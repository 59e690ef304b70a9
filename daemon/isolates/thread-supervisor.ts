// Keeps a host-owned thread alive that the network speaks to: one that dies, or does not answer a look in time, is
// replaced after a back-off. What the thread has to know is told to each new one by whoever owns the supervisor.
import type { Clock, Timer } from '../time/clock.ts';

export interface SupervisedThread<To> {
  post(message: To): void;
  /** Told to end, whatever it does. */
  end(): void;
}

export interface ThreadListener<From> {
  message(message: From): void;
  /** Nothing more comes from it. */
  ended(why: string | undefined): void;
}

export interface ThreadSupervisorOptions<To, From> {
  spawn(listener: ThreadListener<From>): SupervisedThread<To>;
  /** A question that only a thread that works answers. */
  look(id: number): To;
  /** The id of the look that a message answers. */
  answers(message: From): number | undefined;
  /** What a thread is told last. */
  readonly last: To;
  /** A thread that does not answer for so long is replaced. */
  readonly stalledMs: number;
  readonly clock: Clock;
  /** A new thread runs and knows nothing. */
  began(): void;
  message(message: From): void;
  /** The thread is gone; another comes, unless it was told to end. */
  lost(why: string, isReplaced: boolean): void;
}

const restartBackoffMs = [100, 30_000] as const;
/** A thread that ran for so long begins again with the least back-off. */
const stableMs = 60_000;
const looksPerStall = 5;

export class ThreadSupervisor<To, From> {
  readonly #options: ThreadSupervisorOptions<To, From>;
  #thread: SupervisedThread<To> | undefined;
  #beganMs = 0;
  #endsInARow = 0;
  #restarts = 0;
  #lookId = 0;
  /** When the look that is not answered yet was asked. */
  #askedMs: number | undefined;
  #timer: Timer | undefined;
  #closed = false;
  #answered: (() => void)[] = [];

  constructor(options: ThreadSupervisorOptions<To, From>) {
    this.#options = options;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get running(): boolean {
    return this.#thread !== undefined;
  }

  start(): void {
    if (this.#thread !== undefined || this.#closed) return;
    const { clock, spawn, answers, began, message, lost } = this.#options;
    const mine: SupervisedThread<To> = spawn({
      message: (received) => {
        if (mine !== this.#thread) return;
        if (answers(received) === this.#lookId) this.#alive();
        message(received);
      },
      ended: (why) => {
        if (mine !== this.#thread) return;
        this.#lose();
        lost(why ?? 'it ended', !this.#closed);
      },
    });
    this.#thread = mine;
    this.#beganMs = clock.monotonicMs();
    began();
    this.#look();
  }

  post(message: To): void {
    this.#thread?.post(message);
  }

  /** Resolves when the thread has answered a look that is asked now, or after this time. */
  refresh(withinMs: number): Promise<void> {
    if (this.#thread === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(withinMs, resolve);
      this.#answered.push(() => {
        timer.cancel();
        resolve();
      });
      this.#ask();
    });
  }

  /** Takes nothing new from now on; what is on its way is still answered. */
  drain(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.post(this.#options.last);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    const thread = this.#thread;
    this.#thread = undefined;
    thread?.end();
    this.#tellAnswered();
  }

  #ask(): void {
    this.#lookId += 1;
    this.#askedMs ??= this.#options.clock.monotonicMs();
    this.#thread?.post(this.#options.look(this.#lookId));
  }

  #alive(): void {
    this.#askedMs = undefined;
    this.#tellAnswered();
  }

  #tellAnswered(): void {
    const answered = this.#answered;
    this.#answered = [];
    for (const one of answered) one();
  }

  #look(): void {
    const { clock, stalledMs, lost } = this.#options;
    this.#timer = clock.after(stalledMs / looksPerStall, () => {
      if (this.#askedMs !== undefined && clock.monotonicMs() - this.#askedMs >= stalledMs) {
        const stalled = this.#thread;
        const why = `it did not answer for ${String(stalledMs)} ms`;
        this.#lose();
        stalled?.end();
        lost(why, true);
        return;
      }
      if (this.#askedMs === undefined) this.#ask();
      this.#look();
    });
  }

  #lose(): void {
    const { clock } = this.#options;
    this.#thread = undefined;
    this.#askedMs = undefined;
    this.#timer?.cancel();
    this.#tellAnswered();
    if (this.#closed) return;
    this.#endsInARow = clock.monotonicMs() - this.#beganMs >= stableMs ? 0 : this.#endsInARow;
    const [least, most] = restartBackoffMs;
    const delayMs = Math.min(most, least * 2 ** Math.min(this.#endsInARow, 20));
    this.#endsInARow += 1;
    this.#restarts += 1;
    this.#timer = clock.after(delayMs, () => this.start());
  }
}
