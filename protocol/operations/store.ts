// Operations on the store: what it holds and whether it works, a copy of it, and whether all of it is what was written.
import * as z from 'zod';
import { operation } from '../operation.ts';

const count = z.int().min(0);
const half = z.enum(['kept', 'notes']).describe('kept: synced before it is answered; notes: not synced');

export const storeStatus = z.object({
  state: z
    .enum(['unused', 'opening', 'open', 'stalled', 'out', 'refused', 'closed'])
    .describe(
      'unused: nothing is stored; stalled: its disk does not answer; out: its thread has ended and is started again',
    ),
  folder: z.string(),
  fault: z
    .object({ reason: z.string(), message: z.string(), since: z.iso.datetime() })
    .nullable()
    .describe('what is wrong with it now'),
  usedBytes: count.describe('of the pages that hold something'),
  fileBytes: count,
  limitBytes: count.describe('limits.storeBytes'),
  tables: z.array(z.object({ half, table: z.string(), entries: count, bytes: count })),
  pending: z.object({ commits: count, bytes: count }).describe('handed over and not answered yet'),
  counters: z.object({
    commits: count,
    failedCommits: count,
    lostNotes: count,
    ends: count.describe('of its thread, without having been told to'),
  }),
  repairs: z
    .array(
      z.object({
        kind: z.enum(['put_aside', 'journal_lost', 'migrated', 'notes_restarted', 'reopened']),
        message: z.string(),
      }),
    )
    .describe('since the daemon started'),
});
export type StoreStatus = z.output<typeof storeStatus>;

export const storeOperations = {
  'store.status': operation({
    summary: 'What the store holds, and whether it works',
    audience: 'operator',
    http: { method: 'GET', path: '/api/store' },
    params: z.strictObject({}),
    result: storeStatus,
  }),
  'store.backup': operation({
    summary:
      'Copies what is kept, while the daemon runs, into a new folder that a daemon can be started from with serve --state',
    http: { method: 'POST', path: '/api/store/backup' },
    params: z.strictObject({
      path: z.string().min(1).max(4096).describe('the folder to make, absolute; it must not exist, or be empty'),
    }),
    result: z.object({ path: z.string(), entries: count, bytes: count }),
    errors: ['storage_failed', 'storage_full', 'unsupported_operation'],
  }),
  'store.verify': operation({
    summary: 'Reads everything that is stored and compares it with its checksums, while the daemon runs',
    http: { method: 'POST', path: '/api/store/verify' },
    params: z.strictObject({}),
    result: z.object({
      entries: count,
      bytes: count,
      damagedCount: count,
      damaged: z.array(z.object({ half, table: z.string(), key: z.string() })).describe('at most 100 of them'),
    }),
    errors: ['storage_failed'],
  }),
};
