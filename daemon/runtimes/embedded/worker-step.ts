// One step of a worker, planned from how things stand: what is written as one commit, and what is shown once it is on
// disk. Nothing happens here, so that the rules can be read and tested in one place.
import { errorKinds } from '../../../protocol/errors.ts';
import type { StateChanges } from '../../../protocol/cell/effects.ts';
import type { InputAnswer, TranscriptItem } from '../../../protocol/runtime.ts';
import type { Change } from '../../../protocol/store/change.ts';
import { digestOf } from '../idempotency-cache.ts';
import type { Arrival } from './arrivals.ts';
import { StepDraft } from './step-draft.ts';
import {
  type OpenInput,
  type WorkerHead,
  changeState,
  putHead,
  putInput,
  putItem,
  putKey,
  removeInput,
} from './worker-record.ts';
import type { RunningTurn } from './worker-turns.ts';

export interface WorkerSituation {
  readonly workerId: string;
  /** Items ever committed. */
  readonly total: number;
  readonly lastActiveAt: string;
  readonly now: string;
  readonly stopped: boolean;
  /** It is to stop, and this step says so. */
  readonly stopping: boolean;
  readonly running: RunningTurn | undefined;
  /** Accepted inputs that have not begun, in order. */
  readonly pending: readonly OpenInput[];
  /** Waiting inputs that are to be cancelled, by their eventId. */
  readonly cancelling: ReadonlyMap<string, unknown>;
  readonly arrivals: readonly Arrival[];
  /** An input may begin if none runs. */
  readonly mayBegin: boolean;
  /** No event that was told, or is told before the next step, has a higher number. */
  readonly events: number;
}

export interface Arrived {
  readonly arrival: Arrival;
  readonly input: OpenInput;
  readonly item: TranscriptItem;
  readonly answer: InputAnswer;
}

export interface WorkerStep {
  /** The input whose end is written. */
  readonly ended: RunningTurn | undefined;
  /** New items that its end adds. */
  readonly endItems: readonly TranscriptItem[];
  readonly dropped: readonly { readonly input: OpenInput; readonly line: TranscriptItem }[];
  readonly stops: boolean;
  readonly arrived: readonly Arrived[];
  /** The input that begins. */
  readonly next: OpenInput | undefined;
  readonly head: WorkerHead;
  readonly changes: readonly Change[];
}

const words = {
  cancelled: 'The input was cancelled.',
  cancelledBefore: 'The input was cancelled before it began.',
  stoppedBefore: 'The worker was stopped before it came to this.',
} as const;

export function planStep(situation: WorkerSituation): WorkerStep {
  const { workerId, running, pending, cancelling, stopping, now } = situation;
  const draft = new StepDraft(situation.total);
  const stopped = situation.stopped || stopping;
  const ended = running?.end === undefined ? undefined : running;
  const going = ended === undefined ? running : undefined;
  const end = ended === undefined ? { items: [], changed: [] } : endOf(ended, draft, now);
  const goes = ({ eventId }: OpenInput): boolean => stopped || cancelling.has(eventId);
  const dropped = pending.filter(goes).map((input) => {
    const content = stopped ? words.stoppedBefore : words.cancelledBefore;
    return { input, line: draft.add(hostLine(input, 'cancelled', content, now)) };
  });
  const arrived = situation.arrivals.map((arrival) => accepted(arrival, draft));
  const waiting = [...pending.filter((input) => !goes(input)), ...arrived.map(({ input }) => input)];
  const next = going === undefined && !stopped && situation.mayBegin ? waiting[0] : undefined;
  const isActive = end.items.length + dropped.length + arrived.length > 0 || ended !== undefined;
  const head: WorkerHead = {
    stopped,
    lastActiveAt: isActive ? now : situation.lastActiveAt,
    total: draft.total,
    running: (next ?? going)?.sequence ?? null,
    open: waiting.length + (going === undefined ? 0 : 1),
    events: situation.events,
  };
  return {
    ended,
    endItems: end.items,
    dropped,
    stops: stopping,
    arrived,
    next,
    head,
    changes: [
      ...[...end.changed, ...draft.added].map((item) => putItem(workerId, item)),
      ...[...(ended === undefined ? [] : [ended]), ...dropped.map(({ input }) => input)].map((input) =>
        removeInput(workerId, input),
      ),
      ...changeState(workerId, stateChangesOf(ended)),
      ...arrived.flatMap(({ arrival: { inputId }, input, answer }) => [
        putInput(workerId, input),
        ...(inputId === undefined
          ? []
          : [putKey(workerId, { key: inputId, digest: digestOf([input.kind, input.content]), answer })]),
      ]),
      putHead(workerId, head),
    ],
  };
}

/** What the input keeps in `ctx.state`: only one that is done keeps anything. */
export function stateChangesOf(turn: RunningTurn | undefined): StateChanges {
  return turn?.end?.kind === 'done' ? (turn.end.state ?? []) : [];
}

function accepted(arrival: Arrival, draft: StepDraft): Arrived {
  const { kind, content, eventId, createdAt } = arrival.input;
  const item = draft.add({ role: kind, content, eventId, createdAt });
  const { sequence } = item;
  return { arrival, item, input: { ...arrival.input, sequence }, answer: { state: 'accepted', sequence, eventId } };
}

/** What the end of an input adds to the transcript, and what it changes there. */
function endOf(
  { eventId, speech, end }: RunningTurn,
  draft: StepDraft,
  createdAt: string,
): { readonly items: TranscriptItem[]; readonly changed: TranscriptItem[] } {
  const said = speech.whole(end?.kind === 'done' ? 'done' : 'partial');
  const changed = said === undefined ? [] : [said];
  if (end?.kind === 'failed') {
    const { code } = end.error;
    // A plugin's own words may hold anything: the transcript gets the code and what the registry says of it.
    const line = hostLine({ eventId }, 'failed', `${code}: ${errorKinds[code].meaning}`, createdAt);
    return { items: [draft.add(line)], changed };
  }
  if (end?.kind === 'cancelled')
    return { items: [draft.add(hostLine({ eventId }, 'cancelled', words.cancelled, createdAt))], changed };
  // An input that was done has an item that says so, also where nothing was said.
  return {
    items:
      speech.sequence === undefined
        ? [draft.add({ role: 'worker', content: '', eventId, createdAt, status: 'done' })]
        : [],
    changed,
  };
}

const hostLine = (
  { eventId }: Pick<OpenInput, 'eventId'>,
  status: 'failed' | 'cancelled',
  content: string,
  createdAt: string,
): Omit<TranscriptItem, 'sequence'> => ({ role: 'host', content, eventId, createdAt, status });
