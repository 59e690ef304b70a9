// A registry with real runtimes and a program that lives in the test: what it does with an input is the test's to say.
import { limits as limitsSchema } from '../../daemon/config/schema.ts';
import type { Limits } from '../../daemon/config/schema.ts';
import type { Clock } from '../../daemon/time/clock.ts';
import { realClock } from '../../daemon/time/real-clock.ts';
import { EmbeddedRuntime } from '../../daemon/runtimes/embedded/embedded-runtime.ts';
import type { Profile, Program, ProgramEnd, ProgramInput } from '../../daemon/runtimes/programs/program.ts';
import type { CancelRequest } from '../../daemon/runtimes/runtime.ts';
import { Registry } from '../../daemon/runtimes/registry.ts';
import type { StateChanges } from '../../protocol/cell/effects.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import { HostError } from '../../protocol/errors.ts';
import type { WorkerView } from '../../protocol/runtime.ts';
import { MemoryStore } from './memory-store.ts';
import { uuidv7 } from '../../protocol/uuid.ts';

/** One input as the program has it; it ends when the test says so. */
export interface Given {
  readonly input: ProgramInput;
  say(text: string): void;
  /** `state`: what an input that is done has changed of `ctx.state`. */
  end(how: 'done' | 'cancelled' | ErrorCode, state?: StateChanges): void;
}

export class LabProgram implements Program {
  readonly given: Given[] = [];
  /** Does this with every input at once, in place of waiting for the test. */
  onInput: ((given: Given) => void) | undefined;
  running = 0;
  mostRunning = 0;
  closed = false;
  #cancel: (() => void) | undefined;

  run(input: ProgramInput, say: (text: string) => void): Promise<ProgramEnd> {
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    return new Promise((resolve) => {
      const end = (how: 'done' | 'cancelled' | ErrorCode, state?: StateChanges): void => {
        if (this.#cancel !== cancel) return;
        this.#cancel = undefined;
        this.running -= 1;
        resolve(
          how === 'done'
            ? { kind: how, ...(state === undefined ? {} : { state }) }
            : how === 'cancelled'
              ? { kind: how }
              : { kind: 'failed', error: new HostError(how, 'SECRET of the plugin at /home/somebody') },
        );
      };
      const cancel = (): void => end('cancelled');
      this.#cancel = cancel;
      const given: Given = { input, say, end };
      this.given.push(given);
      this.onInput?.(given);
    });
  }

  get current(): Given | undefined {
    return this.#cancel === undefined ? undefined : this.given.at(-1);
  }

  cancel(): void {
    this.#cancel?.();
  }

  view(): { incarnation: number; isolation: 'thread'; live: boolean; unkillable: number; droppedPieces: number } {
    return { incarnation: this.given.length, isolation: 'thread', live: !this.closed, unkillable: 0, droppedPieces: 0 };
  }

  close(): Promise<void> {
    this.closed = true;
    this.cancel();
    return Promise.resolve();
  }
}

export interface RuntimeLab {
  readonly registry: Registry;
  readonly embedded: EmbeddedRuntime;
  readonly limits: Limits;
  /** What was logged. */
  readonly logged: { readonly fields: object; readonly message: string }[];
  /** What was told in timelines of plugins. */
  readonly noted: readonly string[];
  readonly store: MemoryStore;
  /** By the worker's id. */
  program(workerId: string): LabProgram;
  create(request?: Partial<Parameters<Registry['create']>[1]>): Promise<WorkerView>;
}

export interface RuntimeLabOptions {
  readonly limits?: Partial<Limits>;
  readonly clock?: Clock;
  /** What an earlier runtime kept. */
  readonly store?: MemoryStore;
  /** The plugins are there from the start. */
  readonly resumed?: boolean;
}

export function runtimeLab(options: RuntimeLabOptions = {}): RuntimeLab {
  const limits = { ...limitsSchema.parse({}), ...options.limits };
  const clock = options.clock ?? realClock;
  const programs = new Map<string, LabProgram>();
  const profile = (name: string): Profile => ({
    name,
    description: `${name} of the lab`,
    open: ({ workerId }) => {
      const program = new LabProgram();
      programs.set(workerId, program);
      return program;
    },
  });
  const profiles = ['builtin:default', 'lab.plugin:chat'].map(profile);
  const logged: RuntimeLab['logged'] = [];
  const tell = (fields: object, message: string): void => void logged.push({ fields, message });
  const log = { warn: tell, error: tell };
  const noted: string[] = [];
  const store = options.store ?? new MemoryStore();
  const registry = new Registry({ clock, limits, log });
  const embedded = new EmbeddedRuntime(
    {
      find: (name) => profiles.find((each) => each.name === name),
      list: () => profiles,
      reopen: (name, worker) => profile(name).open(worker),
    },
    {
      clock,
      limits,
      log,
      store,
      newId: () => uuidv7(),
      note: (owner, level, message) => void noted.push(`${owner} ${level} ${message}`),
    },
  );
  const resumed = options.resumed === false ? Promise.resolve() : embedded.resume();
  registry.add(embedded);
  return {
    registry,
    embedded,
    limits,
    logged,
    noted,
    store,
    program(workerId) {
      const program = programs.get(workerId);
      if (program === undefined) throw new Error(`no program was opened for ${workerId}`);
      return program;
    },
    create: async (request = {}) => {
      await resumed;
      return await registry.create('backend-internal', { intent: 'to be tested', ...request });
    },
  };
}

/** Names the input that runs at this moment. */
export const whatRuns = (): CancelRequest => ({ ranAtMs: realClock.monotonicMs() });

/** Whatever was begun in promises and microtasks has come to its end. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** The code with which it is refused; throws where it is not. */
export async function refusal(
  attempt: () => unknown,
): Promise<{ code: ErrorCode; message: string; details: Readonly<Record<string, unknown>> }> {
  try {
    await attempt();
  } catch (thrown) {
    if (thrown instanceof HostError) return thrown;
    throw thrown;
  }
  throw new Error('it was not refused');
}
