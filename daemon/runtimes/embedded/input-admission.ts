// Whether a worker may take one more input, and what the caller is told where it may not.
import { HostError } from '../../../protocol/errors.ts';
import { plural } from '../../../protocol/plural.ts';
import type { Limits } from '../../config/schema.ts';

export interface InputCandidate {
  readonly workerId: string;
  readonly content: string;
  /** Inputs of the worker that wait. */
  readonly waiting: number;
  /** How long an input of it has taken lately. */
  readonly turnMs: number;
  readonly stopped: boolean;
}

const longestAdviceMs = 60_000;

export function admitInput(
  { workerId, content, waiting, turnMs, stopped }: InputCandidate,
  limits: Pick<Limits, 'workerInputBytes' | 'workerInputs'>,
): void {
  if (stopped) throw stoppedError(workerId);
  const size = Buffer.byteLength(content);
  if (size > limits.workerInputBytes) {
    throw new HostError(
      'payload_too_large',
      `The input has ${String(size)} bytes and may have ${String(limits.workerInputBytes)}; limits.workerInputBytes sets this bound.`,
      { limit: 'limits.workerInputBytes', maximum: limits.workerInputBytes },
    );
  }
  if (waiting < limits.workerInputs) return;
  throw new HostError(
    'worker_busy',
    `${plural(limits.workerInputs, 'input waits', 'inputs wait')} for this worker, which is the limit. Raise limits.workerInputs to let more wait.`,
    {
      workerId,
      limit: 'limits.workerInputs',
      capacity: limits.workerInputs,
      retryAfterMs: Math.ceil(Math.min(longestAdviceMs, turnMs)),
    },
  );
}

export const stoppedError = (workerId: string): HostError =>
  new HostError('worker_stopped', 'The worker was stopped.', { workerId });

export const noInputError = (workerId: string, eventId: string): HostError =>
  new HostError(
    'input_not_found',
    `The worker has no input with the eventId ${JSON.stringify(eventId)}, or no longer keeps it.`,
    { workerId, eventId },
  );
