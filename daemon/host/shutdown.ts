// The end of the daemon: graceful once, hard at its deadline or at a second signal. A thread that sits in native code
// would keep the process for ever; the last rung is SIGKILL to itself.
import type { Limits } from '../config/schema.ts';
import { exitProcess } from '../guardian/lost-terminal.ts';
import type { Logger } from '../telemetry/daemon-log.ts';
import { awakeTime } from '../time/awake-time.ts';

export interface ShutdownDeps {
  readonly limits: Pick<Limits, 'shutdownMs'>;
  readonly log: Logger;
  /** Everything in order, within the time given. */
  stop(withinMs: number): Promise<void>;
  /** Removes socket and lock, whatever else is still there. */
  release(): void;
  /** The end has been ordered: from here on it is no death, however it goes. */
  ending?(reason: string): void;
  /** Threads that did not end: they would keep a plain exit from returning. */
  leftover(): number;
}

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

export class Shutdown {
  readonly ended: Promise<number>;
  readonly #deps: ShutdownDeps;
  #begun = false;
  #finish: (code: number) => void = () => {};

  constructor(deps: ShutdownDeps) {
    this.#deps = deps;
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  get begun(): boolean {
    return this.#begun;
  }

  /** The same signal within `sameWithinMs` is the same wish, sent to a whole group of processes. */
  onSignals(sameWithinMs = 0): void {
    let last: { readonly signal: string; readonly atMs: number } | undefined;
    for (const signal of signals) {
      process.on(signal, () => {
        const atMs = performance.now();
        if (last?.signal === signal && atMs - last.atMs < sameWithinMs) return;
        last = { signal, atMs };
        if (this.#begun) this.#endHard(`a second signal (${signal})`);
        this.begin(signal);
      });
    }
  }

  begin(reason: string): void {
    if (this.#begun) return;
    this.#begun = true;
    const { limits, log } = this.#deps;
    this.#deps.ending?.(reason);
    log.info({ reason, withinMs: limits.shutdownMs }, 'shutting down');
    const hard = awakeTime.after(limits.shutdownMs, () =>
      this.#endHard(`not done within ${String(limits.shutdownMs)} ms`),
    );
    void this.#stop().then((code) => {
      hard.cancel();
      this.#finish(code);
    });
  }

  /** A plain exit waits for every thread, so it is taken only where none was given up. */
  exit(code: number): never {
    if (this.#deps.leftover() > 0) process.kill(process.pid, 'SIGKILL');
    exitProcess(code);
  }

  async #stop(): Promise<number> {
    try {
      await this.#deps.stop(this.#deps.limits.shutdownMs);
      return 0;
    } catch (thrown) {
      this.#deps.log.error(
        { fault: thrown instanceof Error ? thrown.stack : String(thrown) },
        'the shutdown did not go as it should',
      );
      return 1;
    } finally {
      this.#deps.release();
    }
  }

  #endHard(why: string): never {
    this.#deps.log.error({ why }, 'ending hard');
    this.#deps.release();
    process.kill(process.pid, 'SIGKILL');
    // SIGKILL is not handled: nothing runs after it.
    throw new Error('unreachable');
  }
}
