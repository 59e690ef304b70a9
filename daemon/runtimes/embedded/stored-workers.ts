// The workers that an earlier daemon kept: all of them by name at the start, and each with its conversation when it is
// wanted. A value that is damaged costs itself, and at most the worker it belongs to.
import type { StateChanges } from '../../../protocol/cell/effects.ts';
import type { TranscriptItem, WorkerState, WorkerSummary } from '../../../protocol/runtime.ts';
import type { RangeQuery } from '../../store/store-reads.ts';
import {
  type KeptKey,
  type KeptWorker,
  type OpenInput,
  type WorkerBirth,
  type WorkerHead,
  type WorkerStore,
  allWorkers,
  inputsOf,
  itemsOf,
  keysOf,
  sequenceInKey,
  stateKeyIn,
  stateOf,
  summaryOf,
  valueOf,
  workerInKey,
} from './worker-record.ts';

/** A worker whose conversation has not been read yet. */
export class StoredWorker {
  readonly birth: WorkerBirth;
  /** Undefined where it is damaged. */
  readonly head: WorkerHead | undefined;

  /** Its birth is not what stands in the store. */
  readonly differs: boolean;

  constructor(birth: WorkerBirth, head: WorkerHead | undefined, differs = false) {
    this.birth = birth;
    this.head = head;
    this.differs = differs;
  }

  get state(): WorkerState {
    if (this.head?.stopped === true) return 'stopped';
    const interrupted = this.head?.running == null ? 0 : 1;
    return this.head !== undefined && this.head.open > interrupted ? 'busy' : 'idle';
  }

  get hasOpenInputs(): boolean {
    return this.head === undefined || this.head.open > 0;
  }

  summary(): WorkerSummary {
    return summaryOf(this.birth, this.state, this.head?.lastActiveAt ?? this.birth.createdAt);
  }
}

export interface FoundWorkers {
  /** Oldest first. */
  readonly workers: readonly StoredWorker[];
  /** Those of which it cannot be read what they are: they are readable, and stopped. */
  readonly damaged: readonly StoredWorker[];
}

const pageEntries = 1000;
/** Behind all that an earlier daemon may have told, where it cannot be read how much that was. */
const unknownEvents = 1_000_000_000_000;

export async function findWorkers(store: WorkerStore, runtimeId: string): Promise<FoundWorkers> {
  const births = new Map<string, WorkerBirth>();
  const heads = new Map<string, WorkerHead>();
  const ids = new Set<string>();
  for await (const { entries, damaged } of store.kept.pages({ ...allWorkers, limit: pageEntries })) {
    for (const key of damaged) ids.add(workerInKey(key));
    for (const entry of entries) {
      const id = workerInKey(entry.key);
      ids.add(id);
      if (entry.key.endsWith('/birth')) births.set(id, valueOf(entry));
      else heads.set(id, valueOf(entry));
    }
  }
  const workers: StoredWorker[] = [];
  const damaged: StoredWorker[] = [];
  for (const id of [...ids].sort()) {
    const birth = births.get(id);
    const worker =
      birth === undefined ? unknownWorker(runtimeId, id, heads.get(id)) : new StoredWorker(birth, heads.get(id));
    workers.push(worker);
    if (birth === undefined) damaged.push(worker);
  }
  return { workers, damaged };
}

/** What it is for and which profile it runs is lost, so that it takes no input; what was said can be read. */
function unknownWorker(runtimeId: string, workerId: string, head: WorkerHead | undefined): StoredWorker {
  const at = head?.lastActiveAt ?? new Date(0).toISOString();
  const birth: WorkerBirth = {
    runtimeId,
    workerId,
    displayName: `damaged ${workerId.slice(-8)}`,
    intent: 'What this worker was for is damaged on disk and is lost.',
    profile: 'builtin:default',
    createdAt: at,
    life: workerId,
  };
  const unknown = { lastActiveAt: at, total: 0, running: null, open: 0, events: unknownEvents };
  return new StoredWorker(birth, { ...(head ?? unknown), stopped: true }, true);
}

/** Rejects where the store cannot be read now. */
export async function readWorker(
  store: WorkerStore,
  { birth: { workerId, createdAt }, head, differs }: StoredWorker,
): Promise<KeptWorker> {
  const [items, inputs, keys, state] = await Promise.all([
    valuesOf<TranscriptItem>(store, itemsOf(workerId)),
    valuesOf<OpenInput>(store, inputsOf(workerId)),
    valuesOf<KeptKey>(store, keysOf(workerId)),
    keptStateOf(store, workerId),
  ]);
  const open = openInputs(inputs, items.bySequence);
  // Of an input that may have begun it must be assumed that it has.
  const running = head === undefined ? (open[0]?.sequence ?? null) : head.running;
  const total = Math.max(head?.total ?? 0, ...items.bySequence.keys(), ...items.damaged);
  const whole = wholeItems(items, { total, createdAt, begun: open.find(({ sequence }) => sequence === running) });
  const damaged =
    items.damaged.size + inputs.damaged.size + keys.damaged.size + state.damaged + (head === undefined ? 1 : 0);
  const lastActiveAt = whole.items.at(-1)?.createdAt ?? createdAt;
  return {
    head: head ?? { stopped: false, lastActiveAt, total, running, open: open.length, events: unknownEvents },
    total,
    items: whole.items,
    inputs: open,
    keys: [...keys.bySequence.values()],
    state: state.values,
    damaged,
    differs: differs || damaged > 0 || whole.repaired,
  };
}

/** An input stands in the transcript as well, from where one that is damaged is taken. */
function openInputs(inputs: Values<OpenInput>, items: Values<TranscriptItem>['bySequence']): OpenInput[] {
  const rebuilt = [...inputs.damaged].flatMap((sequence): OpenInput[] => {
    const { role, eventId, content, createdAt } = items.get(sequence) ?? {};
    if ((role !== 'user' && role !== 'system') || eventId === undefined) return [];
    return [{ sequence, eventId, kind: role, content: content ?? '', createdAt: createdAt ?? '' }];
  });
  return [...inputs.bySequence.values(), ...rebuilt].sort((one, other) => one.sequence - other.sequence);
}

interface Around {
  readonly total: number;
  readonly createdAt: string;
  readonly begun: OpenInput | undefined;
}

/** Every item up to the last, with something in the place of each that is not there. */
function wholeItems(
  { bySequence, damaged }: Values<TranscriptItem>,
  { total, createdAt, begun }: Around,
): { readonly items: readonly TranscriptItem[]; readonly repaired: boolean } {
  const items: TranscriptItem[] = [];
  let repaired = false;
  const first = Math.min(total + 1, ...bySequence.keys(), ...damaged);
  for (let sequence = first; sequence <= total; sequence += 1) {
    const found = bySequence.get(sequence);
    repaired ||= found === undefined || found.status === 'streaming';
    const said = begun !== undefined && sequence > begun.sequence && !damaged.has(sequence) ? begun.eventId : undefined;
    const item = found ?? missingItem(sequence, items.at(-1)?.createdAt ?? createdAt, said);
    // What was being said when the daemon ended.
    items.push(item.status === 'streaming' ? { ...item, status: 'partial' } : item);
  }
  return { items, repaired };
}

/** What a worker is saying is written when it has said it; anything else that is not there was damaged. */
function missingItem(sequence: number, createdAt: string, saidTo: string | undefined): TranscriptItem {
  if (saidTo !== undefined)
    return { sequence, role: 'worker', content: '', eventId: saidTo, createdAt, status: 'partial' };
  const content = 'This item is damaged on disk and is lost.';
  return { sequence, role: 'host', content, eventId: '', createdAt, status: 'failed' };
}

async function keptStateOf(
  store: WorkerStore,
  workerId: string,
): Promise<{ readonly values: StateChanges; readonly damaged: number }> {
  const values: string[] = [];
  let damaged = 0;
  for await (const page of store.kept.pages({ ...stateOf(workerId), limit: pageEntries })) {
    damaged += page.damaged.length;
    for (const { key, value } of page.entries) values.push(stateKeyIn(key), Buffer.from(value).toString());
  }
  return { values, damaged };
}

interface Values<Value> {
  readonly bySequence: ReadonlyMap<number, Value>;
  readonly damaged: ReadonlySet<number>;
}

async function valuesOf<Value>(store: WorkerStore, query: Omit<RangeQuery, 'limit'>): Promise<Values<Value>> {
  const bySequence = new Map<number, Value>();
  const damaged = new Set<number>();
  for await (const page of store.kept.pages({ ...query, limit: pageEntries })) {
    for (const entry of page.entries) bySequence.set(sequenceInKey(entry.key), valueOf(entry));
    for (const key of page.damaged) damaged.add(sequenceInKey(key));
  }
  return { bySequence, damaged };
}
