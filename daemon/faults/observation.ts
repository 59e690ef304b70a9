// What was seen of one fault: plain facts, from which verdict.ts makes a judgement.
import { HostError } from '../../protocol/errors.ts';
import type { AnswerKind } from './fault.ts';
import type { Death } from './kit-daemon.ts';

export interface Answer {
  /** `wrong`: an answer, but not the right one; `none`: nothing came while the daemon lived. */
  readonly kind: AnswerKind | 'wrong' | 'none';
  readonly code: string | null;
  readonly message: string;
  readonly ms: number;
  readonly deadlineMs: number;
}

export interface Left {
  readonly threads: number;
  readonly descriptors: number;
  readonly sockets: number;
  readonly processes: number;
  readonly rssMb: number;
}

export interface Recovery {
  /** The longest time, after the answer, in which the slot was of no use; null: it did not come back. */
  readonly ms: number | null;
  readonly by: 'itself' | 'command';
}

/** What a trial sees by asking. */
export interface Seen {
  readonly answer: Answer;
  readonly recovery: Recovery;
  readonly crashedLater: boolean;
  /** What was found wrong beside the above, in words. */
  readonly problems: readonly string[];
  /** As the operator is told. */
  readonly cause: string;
}

/** And all that can be seen beside it. */
export interface Observation extends Seen {
  /** Null where there was none to watch. */
  readonly neighbour: { readonly longestGapMs: number; readonly answers: number; readonly wrong: string | null } | null;
  readonly left: Left | null;
  /** Cells the daemon says it has given up. */
  readonly unkillable: number;
  readonly death: Death | null;
  /** The daemon died, and its guardian brought it back. */
  readonly byGuardian?: boolean;
  readonly peakMb: number;
}

const kinds: Readonly<Record<string, AnswerKind>> = {
  dispatch_timeout: 'timeout',
  start_timeout: 'timeout',
  tool_timeout: 'timeout',
  dispatch_failed: 'failed',
  start_failed: 'failed',
  tool_failed: 'failed',
  tool_output_invalid: 'failed',
  payload_too_large: 'failed',
  cell_crashed: 'crashed',
  tool_crashed: 'crashed',
  service_stopped: 'stopped',
  tool_cancelled: 'stopped',
  shutting_down: 'stopped',
};

/** Runs what asks, and tells how it was answered; an error without a kind of its own is a wrong answer. */
export async function answerTo(ask: () => Promise<unknown>, deadlineMs: number): Promise<Answer> {
  const beganMs = performance.now();
  const told = (kind: Answer['kind'], code: string | null, message: string): Answer => ({
    kind,
    code,
    message,
    ms: performance.now() - beganMs,
    deadlineMs,
  });
  try {
    const output = await ask();
    return output === 'done'
      ? told('answer', null, 'answered as it should')
      : told('wrong', null, `answered ${(JSON.stringify(output) ?? 'nothing').slice(0, 100)}`);
  } catch (thrown) {
    if (!(thrown instanceof HostError)) throw thrown;
    if (thrown.code === 'connection_closed') return told('none', thrown.code, thrown.message);
    return told(kinds[thrown.code] ?? 'wrong', thrown.code, thrown.message);
  }
}

export const unanswered: Answer = { kind: 'none', code: null, message: 'no answer came', ms: 0, deadlineMs: 0 };

/** What was seen until then stands, also when the daemon ends in the middle of it. */
export async function untilDaemonEnds(steps: () => Promise<void>): Promise<void> {
  try {
    await steps();
  } catch (thrown) {
    if (!(thrown instanceof HostError) || thrown.code !== 'connection_closed') throw thrown;
  }
}

/** An error of the daemon's is an observation; that it is gone, or that the kit is wrong, is not. */
export function wordsOf(thrown: unknown): string {
  if (!(thrown instanceof HostError) || thrown.code === 'connection_closed') throw thrown;
  return thrown.message;
}
