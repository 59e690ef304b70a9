// How a worker stands in the store: what never changes of it, what changes with each step, and one value for each item
// of its transcript, each input that has not ended and each input id that is remembered. So a step appends a few small
// values, however long the conversation is.
import { type StateChanges, changesIn } from '../../../protocol/cell/effects.ts';
import type { InputAnswer, TranscriptItem, WorkerState, WorkerSummary } from '../../../protocol/runtime.ts';
import {
  type Change,
  type KeyRange,
  keysUnder,
  numberInKey,
  put,
  remove,
  removeRange,
  storeKey,
} from '../../../protocol/store/change.ts';
import type { Entry } from '../../../protocol/store/messages.ts';
import type { Store } from '../../store/store.ts';
import { stateKeyOf } from '../../dispatch/kept-state.ts';
import type { KeptAnswer } from '../idempotency-cache.ts';

/** What of the store workers need. */
export type WorkerStore = Pick<Store, 'commit' | 'note' | 'onReopened'> & {
  readonly kept: Pick<Store['kept'], 'get' | 'pages'>;
};

export interface WorkerBirth {
  readonly runtimeId: string;
  readonly workerId: string;
  readonly displayName: string;
  readonly intent: string;
  readonly profile: string;
  readonly createdAt: string;
  /** Part of every cursor of its events: a cursor of another worker is known by it. */
  readonly life: string;
  /** The request key it was made under, and the digest of that request. */
  readonly request?: { readonly key: string; readonly digest: string } | undefined;
}

export interface WorkerHead {
  readonly stopped: boolean;
  readonly lastActiveAt: string;
  /** Items ever committed. */
  readonly total: number;
  /** The sequence of the input that has begun and has not ended. */
  readonly running: number | null;
  /** Inputs that wait or run. */
  readonly open: number;
  /** No event of it that was told has a higher number. */
  readonly events: number;
}

/** An accepted input. */
export interface OpenInput {
  readonly sequence: number;
  readonly eventId: string;
  readonly kind: 'user' | 'system';
  readonly content: string;
  readonly createdAt: string;
}

export type KeptKey = KeptAnswer<InputAnswer>;

/** What an earlier daemon kept of it. */
export interface KeptWorker {
  readonly head: WorkerHead;
  /** Items ever committed. */
  readonly total: number;
  /** The newest of them, without a gap. */
  readonly items: readonly TranscriptItem[];
  /** Those that had not ended, in order. */
  readonly inputs: readonly OpenInput[];
  readonly keys: readonly KeptKey[];
  /** What it keeps in `ctx.state`: each key with its value. */
  readonly state: StateChanges;
  /** Values that could not be read. */
  readonly damaged: number;
  /** What stands in the store is not what is here. */
  readonly differs: boolean;
}

/** What is written of one worker at a moment. */
export interface WholeWorker {
  readonly state: StateChanges;
  readonly birth: WorkerBirth;
  readonly items: readonly TranscriptItem[];
  readonly open: readonly OpenInput[];
  readonly keys: readonly KeptKey[];
}

const tables = {
  workers: 'workers',
  items: 'worker-items',
  inputs: 'worker-inputs',
  keys: 'worker-keys',
  states: 'worker-states',
} as const;
/** In a key, behind the worker's id. */
const sequencePlace = 1;

export const putBirth = (birth: WorkerBirth): Change =>
  put(tables.workers, storeKey(birth.workerId, 'birth'), JSON.stringify(birth));
export const putHead = (workerId: string, head: WorkerHead): Change =>
  put(tables.workers, storeKey(workerId, 'head'), JSON.stringify(head));
export const putItem = (workerId: string, item: TranscriptItem): Change =>
  put(tables.items, storeKey(workerId, item.sequence), JSON.stringify(item));
export const putInput = (workerId: string, input: OpenInput): Change => {
  const { sequence, eventId, kind, content, createdAt } = input;
  const plain = { sequence, eventId, kind, content, createdAt } satisfies OpenInput;
  return put(tables.inputs, storeKey(workerId, sequence), JSON.stringify(plain));
};
export const removeInput = (workerId: string, { sequence }: OpenInput): Change =>
  remove(tables.inputs, storeKey(workerId, sequence));
export const putKey = (workerId: string, kept: KeptKey): Change =>
  put(tables.keys, storeKey(workerId, kept.answer.sequence), JSON.stringify(kept));

/** What an input has changed of `ctx.state`. */
export const changeState = (workerId: string, changes: StateChanges): Change[] =>
  [...changesIn(changes)].map(([key, json]) => {
    const place = storeKey(workerId, key);
    return json === null ? remove(tables.states, place) : put(tables.states, place, json);
  });

const before = (workerId: string, sequence: number): KeyRange => ({
  from: keysUnder(workerId).from,
  to: storeKey(workerId, sequence),
});

/** Items that the transcript has let go of, and input ids that are no longer remembered. */
export const removeOld = (workerId: string, firstItem: number, firstKey: number): Change[] => [
  removeRange(tables.items, before(workerId, firstItem)),
  removeRange(tables.keys, before(workerId, firstKey)),
];

export const removeWorker = (workerId: string): Change[] =>
  Object.values(tables).map((table) => removeRange(table, keysUnder(workerId)));

/** The worker as it is to stand there, in place of whatever does. */
export const wholeWorker = ({ birth, items, open, keys, state }: WholeWorker): Change[] => [
  ...removeWorker(birth.workerId),
  putBirth(birth),
  ...items.map((item) => putItem(birth.workerId, item)),
  ...open.map((input) => putInput(birth.workerId, input)),
  ...keys.map((kept) => putKey(birth.workerId, kept)),
  ...changeState(birth.workerId, state),
];

export const allWorkers = { table: tables.workers, from: '0', to: '\u{10ffff}' } as const;
export const itemsOf = (workerId: string) => ({ table: tables.items, ...keysUnder(workerId) }) as const;
export const inputsOf = (workerId: string) => ({ table: tables.inputs, ...keysUnder(workerId) }) as const;
export const keysOf = (workerId: string) => ({ table: tables.keys, ...keysUnder(workerId) }) as const;
export const stateOf = (workerId: string) => ({ table: tables.states, ...keysUnder(workerId) }) as const;

/** Written by this module, and held to its checksum by the store. */
export const valueOf = <Value>({ value }: Entry): Value => JSON.parse(Buffer.from(value).toString()) as Value;
export const workerInKey = (key: string): string => key.split('/')[0] ?? '';
/** The key of `ctx.state`, which is the rest of the key in the store. */
export const stateKeyIn = (key: string): string => stateKeyOf(key, sequencePlace);
export const sequenceInKey = (key: string): number => numberInKey(key, sequencePlace);

export const summaryOf = (birth: WorkerBirth, state: WorkerState, lastActiveAt: string): WorkerSummary => {
  const { runtimeId, workerId, displayName, intent, profile, createdAt } = birth;
  return { runtimeId, workerId, displayName, intent, profile, state, createdAt, lastActiveAt };
};

/** A worker that has done nothing yet. */
export const newWorker = ({ createdAt }: WorkerBirth): KeptWorker => ({
  head: { stopped: false, lastActiveAt: createdAt, total: 0, running: null, open: 0, events: 0 },
  total: 0,
  items: [],
  inputs: [],
  keys: [],
  state: [],
  damaged: 0,
  differs: false,
});
