// The input that a worker's program has, and the program itself. An input is begun on disk before the program gets it,
// so that no crash runs it twice; how it ended is told only when that is on disk too.
import { HostError, asHostError, errorKinds } from '../../../protocol/errors.ts';
import { type PluginAccount, lossAccount } from '../../files/loss-account.ts';
import type { HistoryItem, Program, ProgramEnd } from '../programs/program.ts';
import { Speech } from './speech.ts';
import type { Transcript } from './transcript.ts';
import type { WorkerDeps } from './worker-deps.ts';
import type { WorkerEvents } from './worker-events.ts';
import type { OpenInput } from './worker-record.ts';
import type { WorkerCause } from './worker-states.ts';

export interface RunningTurn extends OpenInput {
  readonly speech: Speech;
  readonly beganMs: number;
  /** The program has it. */
  started: boolean;
  cancelling: boolean;
  /** How it ended, once it has. */
  end: ProgramEnd | undefined;
  endedMs: number;
}

export interface TurnsOptions {
  readonly profile: string;
  readonly program: Program;
  readonly deps: Pick<WorkerDeps, 'clock' | 'limits'>;
  readonly transcript: Transcript;
  readonly events: Pick<WorkerEvents, 'publish'>;
  /** What the program may read of what was said before. */
  history(eventId: string): HistoryItem[];
  /** What the worker keeps in `ctx.state`. */
  state(): string | undefined;
  /** The sequences of the next items are given: what is said has to wait. */
  isWriting(): boolean;
  /** The input has ended, which is to be written and told. */
  onEnd(): void;
}

/** For advice to callers before the first input has told. */
const unknownTurnMs = 1000;

/** What the end of an input is to the table of states. */
export const causeOf = (end: ProgramEnd): WorkerCause =>
  end.kind === 'failed' && end.error.code === 'interrupted' ? 'interrupted' : end.kind;

export class WorkerTurns {
  readonly #options: TurnsOptions;
  readonly #account: PluginAccount;
  #current: RunningTurn | undefined;
  /** The input that ended last. */
  #last: { readonly eventId: string; readonly beganMs: number; readonly endedMs: number } | undefined;
  #saidMeanwhile: (() => void)[] = [];
  /** The daemon ends: an input that it ends is no one's wish. */
  #interrupting = false;
  #closed: Promise<void> | undefined;
  /** How long an input has taken lately. */
  usualMs = unknownTurnMs;

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#account = lossAccount.of(options.profile);
  }

  /** The input that has begun and whose end is not told yet. */
  get current(): RunningTurn | undefined {
    return this.#current;
  }

  /** The input that ran at an instant of the daemon's clock; of those that have ended, only the last is known. */
  ranAt(atMs: number): string | null {
    if (this.#current !== undefined && this.#current.beganMs <= atMs) return this.#current.eventId;
    const last = this.#last;
    return last !== undefined && last.beganMs <= atMs && atMs <= last.endedMs ? last.eventId : null;
  }

  /** It is on disk that this input begins. */
  begin(input: OpenInput): void {
    const turn = this.#turn(input);
    this.#current = turn;
    this.#options.deps.clock.soon(() => this.#start(turn));
  }

  /** It had begun when an earlier daemon ended: whatever it has done, it does not run again. */
  endedWithDaemon(input: OpenInput, wasStopped: boolean): void {
    const turn = this.#turn(input);
    turn.started = true;
    turn.end = wasStopped ? { kind: 'cancelled' } : interruptedEnd();
    this.#current = turn;
  }

  /** False if it has ended, or is being cancelled already. */
  cancel(): boolean {
    const turn = this.#current;
    if (turn === undefined || turn.cancelling || turn.end !== undefined) return false;
    turn.cancelling = true;
    if (turn.started) this.#options.program.cancel();
    else this.#ended(turn, { kind: 'cancelled' });
    return true;
  }

  /** Ends the program. What runs has come to an end when this resolves. */
  close(deadlineMs: number): Promise<void> {
    const turn = this.#current;
    if (turn?.started === false) this.#ended(turn, { kind: 'cancelled' });
    this.#closed ??= this.#options.program.close(deadlineMs).then(() => {
      // The program says so itself; one that does not must not leave an input without an end.
      if (this.#current !== undefined) this.#ended(this.#current, { kind: 'cancelled' });
    });
    return this.#closed;
  }

  /** The daemon ends. Answers an input that the program does not have yet: it is the next daemon's. */
  interrupt(): OpenInput | undefined {
    this.#interrupting = true;
    const turn = this.#current;
    if (turn === undefined || turn.started || turn.end !== undefined) return undefined;
    this.#current = undefined;
    this.#account.add('inputs', -1);
    return turn;
  }

  /** Its end is on disk, or cannot be written: there is no current input any more. */
  settle(turn: RunningTurn): void {
    const { eventId, beganMs, endedMs, speech, end } = turn;
    this.#current = undefined;
    this.#account.add('inputs', -1);
    this.#last = { eventId, beganMs, endedMs };
    this.usualMs += (endedMs - beganMs - this.usualMs) / 4;
    speech.close(end?.kind === 'done' ? 'done' : 'partial');
  }

  /** Whatever was said while something was written. */
  sayOn(): void {
    const said = this.#saidMeanwhile;
    this.#saidMeanwhile = [];
    for (const say of said) say();
  }

  #turn(input: OpenInput): RunningTurn {
    const { deps, transcript, events } = this.#options;
    const speech = new Speech({
      eventId: input.eventId,
      limits: deps.limits,
      transcript,
      now: () => new Date(deps.clock.wallMs()).toISOString(),
      publish: (event) => events.publish(event),
    });
    const beganMs = deps.clock.monotonicMs();
    this.#account.add('inputs', 1);
    return { ...input, speech, beganMs, started: false, cancelling: false, end: undefined, endedMs: beganMs };
  }

  #start(turn: RunningTurn): void {
    if (this.#current !== turn || turn.end !== undefined) return;
    const { program, history, state, isWriting } = this.#options;
    turn.started = true;
    const { eventId, kind, content, createdAt } = turn;
    const say = (text: string): void => {
      if (this.#current !== turn || turn.end !== undefined) return;
      if (isWriting()) this.#saidMeanwhile.push(() => turn.speech.say(text));
      else turn.speech.say(text);
    };
    const run = async (): Promise<ProgramEnd> =>
      await program.run({ eventId, kind, content, createdAt, history: history(eventId), state }, say);
    run().then(
      (end) => this.#ended(turn, end),
      // A program never rejects; one that does has failed this input like any other.
      (thrown: unknown) => this.#ended(turn, { kind: 'failed', error: asHostError(thrown) }),
    );
  }

  #ended(turn: RunningTurn, end: ProgramEnd): void {
    if (this.#current !== turn || turn.end !== undefined) return;
    turn.end = this.#interrupting && end.kind === 'cancelled' && !turn.cancelling ? interruptedEnd() : end;
    turn.endedMs = this.#options.deps.clock.monotonicMs();
    this.#options.onEnd();
  }
}

const interruptedEnd = (): ProgramEnd => ({
  kind: 'failed',
  error: new HostError('interrupted', errorKinds.interrupted.meaning),
});
