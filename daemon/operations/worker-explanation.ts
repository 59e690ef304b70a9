// How a worker is and what went wrong with its inputs, in sentences: what happened, why, and what to do about it. It is
// told from what the registry shows of every worker, so that workers of each kind of runtime are told of alike.
import type { Explanation } from '../../protocol/operations/telemetry.ts';
import { plural, sentence } from '../../protocol/plural.ts';
import type { TranscriptItem, WorkerView } from '../../protocol/runtime.ts';
import { durationText, timeText } from '../../protocol/time-text.ts';

export interface ExplainedWorker {
  readonly worker: WorkerView;
  /** The newest of its transcript, in order; none where its runtime keeps no transcript. */
  readonly items: readonly TranscriptItem[];
  readonly nowMs: number;
}

/** How it is stands first, then what is wrong. */
export function workerExplanation(explained: ExplainedWorker): Explanation[] {
  const told = [...ofDiagnostics(explained), ...ofEnds(explained), ...ofInputs(explained), ...ofTranscript(explained)];
  const order = { error: 0, warn: 1, info: 2 } as const;
  return [ofState(explained), ...told.sort((one, other) => order[one.level] - order[other.level])];
}

const fact = (what: string, more: Partial<Explanation> = {}): Explanation => ({
  about: 'workers',
  level: 'info',
  at: null,
  what,
  why: null,
  remedy: null,
  ...more,
});

const addressOf = ({ runtimeId, workerId }: WorkerView): string => `${runtimeId}/${workerId}`;

function ofState({ worker, nowMs }: ExplainedWorker): Explanation {
  const { state, profile, intent, lastActiveAt, implementation } = worker;
  const runs = profile === null ? '' : ` It runs ${profile} in a ${implementation.isolation}.`;
  const purpose = intent === '' ? '' : ` It was made for: ${sentence(intent)}`;
  const since = `${timeText(lastActiveAt)} (${durationText(Math.max(0, nowMs - Date.parse(lastActiveAt)))} ago)`;
  const service = worker.implementation.kind === 'local-compatibility';
  const remedy = service ? `It is a service: \`nagaya explain ${worker.workerId}\` tells more.` : null;
  switch (state) {
    case 'busy':
      return fact(`The worker handles an input.${runs}${purpose}`, { remedy });
    case 'stopped':
      return fact(`The worker was stopped for good; it was last active at ${since}.${purpose}`, {
        remedy: remedy ?? 'Make another one with `nagaya worker new`.',
      });
    case 'failed':
      return fact(`The newest input of the worker failed; it was last active at ${since}.${runs}${purpose}`, {
        level: 'warn',
        remedy: remedy ?? `It takes inputs: \`nagaya worker send ${addressOf(worker)} TEXT\`.`,
      });
    case 'cancelled':
      return fact(`The newest input of the worker was cancelled; it was last active at ${since}.${runs}${purpose}`, {
        remedy,
      });
    case 'idle':
      return fact(`The worker waits for inputs; it was last active at ${since}.${runs}${purpose}`, { remedy });
  }
}

function ofDiagnostics({ worker }: ExplainedWorker): Explanation[] {
  return worker.diagnostics.map(({ at, level, code, message }) =>
    fact(`${code.replaceAll('_', ' ').replace(/^./, (first) => first.toUpperCase())}.`, {
      level,
      at,
      why: sentence(message),
    }),
  );
}

/** What the host has said of inputs that did not come to their end. */
function ofEnds({ worker, items }: ExplainedWorker): Explanation[] {
  const ended = (status: TranscriptItem['status']): TranscriptItem[] =>
    items.filter((item) => item.role === 'host' && item.status === status);
  const failed = ended('failed');
  const cancelled = ended('cancelled');
  const told: Explanation[] = [];
  const last = failed.at(-1);
  if (last !== undefined)
    told.push(
      fact(`${plural(failed.length, 'input')} failed, the last one:`, {
        level: 'error',
        at: last.createdAt,
        why: sentence(last.content),
        remedy: `Read what was said with \`nagaya worker transcript ${addressOf(worker)}\`; the same input may be given again.`,
      }),
    );
  if (cancelled.length > 0) told.push(fact(`${plural(cancelled.length, 'input')} cancelled.`));
  return told;
}

function ofInputs({ worker, nowMs, items }: ExplainedWorker): Explanation[] {
  const { pending, capacity, running } = worker.inputs;
  const told: Explanation[] = [];
  const begun =
    running === null ? undefined : items.find(({ eventId, role }) => eventId === running && role !== 'host');
  if (begun !== undefined)
    told.push(
      fact(
        `It has been at the input ${begun.eventId} since ${timeText(begun.createdAt)} (${durationText(Math.max(0, nowMs - Date.parse(begun.createdAt)))}).`,
        { remedy: `End it with \`nagaya worker cancel ${addressOf(worker)}\` if it should not go on.` },
      ),
    );
  if (pending > 0)
    told.push(
      fact(`${plural(pending, 'input')} of at most ${String(capacity)} wait.`, {
        level: pending >= capacity ? 'warn' : 'info',
      }),
    );
  return told;
}

function ofTranscript({ worker, items }: ExplainedWorker): Explanation[] {
  const { totalItems, keptItems } = worker.transcript;
  if (totalItems === 0) return worker.capabilities.canReadTranscript ? [fact('It has had no input yet.')] : [];
  const done = items.filter(({ role, status }) => role === 'worker' && status === 'done').length;
  const gone = totalItems > keptItems ? ` The oldest ${String(totalItems - keptItems)} are gone.` : '';
  return [
    fact(
      `Of the newest ${plural(items.length, 'item')} of ${String(totalItems)} that were said, ${plural(done, 'answer')} came to the end.${gone}`,
    ),
  ];
}
