// Runtimes and their workers as they look from outside: the same shapes whichever kind of runtime answers, and nothing
// in them that says where it lives. Browsers read these, so a new field is a decision.
import * as z from 'zod';
import { errorCodes } from './errors.ts';

const count = z.int().min(0);
const instant = z.iso.datetime();

/**
 * `embedded` lives in the daemon itself, `local-compatibility` shows the daemon's own services as workers, `remote` is
 * one of these of another member of the cluster, or of a daemon outside it.
 */
export const runtimeKind = z.enum(['embedded', 'local-compatibility', 'remote']);
export type RuntimeKind = z.output<typeof runtimeKind>;

export const runtimeDiagnostic = z.object({
  at: instant,
  level: z.enum(['info', 'warn', 'error']),
  code: z.string().describe("one of the registry of errors, or a word of the runtime's own"),
  message: z.string(),
});
export type RuntimeDiagnostic = z.output<typeof runtimeDiagnostic>;

export const runtimeCapabilities = z.object({
  canListWorkers: z.boolean(),
  canShowWorker: z.boolean(),
  canCreateWorker: z.boolean(),
  canSendInput: z.boolean(),
  canStopWorker: z.boolean(),
  canCancelWorker: z.boolean(),
  canReadTranscript: z.boolean(),
  canStreamEvents: z.boolean(),
  maxWorkers: count,
});
export type RuntimeCapabilities = z.output<typeof runtimeCapabilities>;

export const runtimeSummary = z.object({
  runtimeId: z.string(),
  displayName: z.string(),
  kind: runtimeKind,
  status: z.enum(['running', 'stopped', 'unavailable']),
  capabilities: runtimeCapabilities,
  workers: z
    .object({ total: count, idle: count, busy: count, stopped: count, failed: count })
    .describe('a cancelled one counts as idle'),
  diagnostics: z.array(runtimeDiagnostic),
});
export type RuntimeSummary = z.output<typeof runtimeSummary>;

export const profileSummary = z.object({ name: z.string(), description: z.string() });
export type ProfileSummary = z.output<typeof profileSummary>;

/** How the newest input ended is the state of a worker that rests; only `stopped` is for good. */
export const workerState = z.enum(['idle', 'busy', 'stopped', 'cancelled', 'failed']);
export type WorkerState = z.output<typeof workerState>;

export const workerCapabilities = runtimeCapabilities.pick({
  canSendInput: true,
  canStopWorker: true,
  canCancelWorker: true,
  canReadTranscript: true,
  canStreamEvents: true,
});

export const workerSummary = z.object({
  runtimeId: z.string(),
  workerId: z.string(),
  displayName: z.string().describe('for people: it addresses nothing'),
  intent: z.string(),
  profile: z.string().nullable().describe('the program it runs; null where the runtime knows no profiles'),
  state: workerState,
  createdAt: instant,
  lastActiveAt: instant,
});
export type WorkerSummary = z.output<typeof workerSummary>;

export const inputKind = z.enum(['user', 'system']);
export type InputKind = z.output<typeof inputKind>;

export const workerView = workerSummary.extend({
  capabilities: workerCapabilities,
  implementation: z.object({
    kind: runtimeKind,
    isolation: z.enum(['thread', 'process']),
    incarnation: count.describe('lives of its cell so far'),
  }),
  inputs: z.object({
    pending: count.describe('accepted and not begun'),
    capacity: count,
    kinds: z.array(inputKind).describe('the kinds of input that the worker takes'),
    running: z
      .string()
      .nullable()
      .describe('eventId of the input that runs; null where none runs, or inputs cannot be cancelled'),
  }),
  transcript: z.object({ firstSequence: count, totalItems: count, keptItems: count, keptBytes: count }),
  diagnostics: z.array(runtimeDiagnostic),
});
export type WorkerView = z.output<typeof workerView>;

/**
 * `streaming`: the worker is still saying it. Each accepted input comes to exactly one item with one of `done` (of the
 * worker), `failed` or `cancelled` (of the host); what was said before one of the latter is `partial`.
 */
export const itemStatus = z.enum(['streaming', 'done', 'partial', 'failed', 'cancelled']);
export type ItemStatus = z.output<typeof itemStatus>;

export const transcriptItem = z.object({
  sequence: count,
  role: z.enum(['user', 'system', 'worker', 'host']),
  content: z.string(),
  eventId: z.string().describe('of the input; what the worker and the host say to it carries the same'),
  createdAt: instant,
  status: itemStatus.optional().describe('absent for inputs'),
  truncated: z.boolean().optional().describe('the worker said more than an item may hold'),
});
export type TranscriptItem = z.output<typeof transcriptItem>;

export const transcriptPage = z.object({
  items: z.array(transcriptItem).describe('in order'),
  firstSequence: count.describe('of the oldest item that is kept; what was before it is gone'),
  totalItems: count.describe('ever committed, those that are gone included'),
  nextStart: count.describe('where the next page begins'),
});
export type TranscriptPage = z.output<typeof transcriptPage>;

export const inputAnswer = z.object({ state: z.literal('accepted'), sequence: count, eventId: z.string() });
export type InputAnswer = z.output<typeof inputAnswer>;

export const workerChange = z.object({
  runtimeId: z.string(),
  workerId: z.string(),
  state: workerState,
  changed: z.boolean().describe('false where there was nothing to do'),
});
export type WorkerChange = z.output<typeof workerChange>;

export const inputCancellation = workerChange.extend({
  eventId: z.string().nullable().describe('the input that was meant; null where none was named and none ran'),
});
export type InputCancellation = z.output<typeof inputCancellation>;

const cursor = z.string().describe('opaque: give it as `after` to go on behind this event');
const happened = { at: instant };

/** What happens to one worker. `snapshot` comes first and again after a gap; everything before it may be forgotten. */
export const workerEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('snapshot'),
    ...happened,
    cursor,
    worker: workerView,
    items: z.array(transcriptItem).describe('the newest, in order; older ones by worker.transcript'),
  }),
  z.object({ type: z.literal('item'), ...happened, cursor, item: transcriptItem }),
  z.object({
    type: z.literal('output'),
    ...happened,
    cursor,
    sequence: count.describe('of the item it goes on'),
    offset: count.describe('length of the item before it, in UTF-16 units'),
    text: z.string(),
  }),
  z.object({
    type: z.literal('end'),
    ...happened,
    cursor,
    sequence: count,
    status: itemStatus,
    truncated: z.boolean(),
  }),
  z.object({ type: z.literal('state'), ...happened, cursor, state: workerState }),
  z.object({
    type: z.literal('diagnostic'),
    ...happened,
    cursor: z.null().describe('a snapshot follows: go on behind that'),
    code: z.enum(['cursor_foreign', 'cursor_expired', 'events_dropped']),
    message: z.string(),
  }),
]);
export type WorkerEvent = z.output<typeof workerEvent>;

export const workerEventPage = z.object({
  events: z.array(workerEvent),
  next: z.string().describe('the `after` of the next page'),
  more: z.boolean().describe('there were more than the limit'),
});
export type WorkerEventPage = z.output<typeof workerEventPage>;

/** What a list does not hold although it was asked for. */
export const leftOut = z.object({
  unavailable: z
    .array(z.object({ runtimeId: z.string(), code: z.enum(errorCodes) }))
    .describe('runtimes that did not answer'),
  more: z.array(z.string()).describe('runtimes that have more workers than this page has room for'),
});

export const workerPage = z.object({
  workers: z.array(workerSummary),
  next: z.string().nullable().describe('the `after` of the next page; null where this is the last'),
  leftOut,
});
export type WorkerPage = z.output<typeof workerPage>;
