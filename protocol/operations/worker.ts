// Operations on workers. A worker is addressed by its runtime and its id together, never by its id alone.
import * as z from 'zod';
import { openId, placeId } from '../identifiers.ts';
import { operation } from '../operation.ts';
import { pageLimit } from '../parameters.ts';
import { remoteErrors } from '../remote/errors.ts';
import {
  inputAnswer,
  inputCancellation,
  inputKind,
  transcriptPage,
  workerChange,
  workerEventPage,
  workerPage,
  workerView,
} from '../runtime.ts';
import { keptState } from '../status.ts';
import { explanation } from './telemetry.ts';

const worker = z.strictObject({ runtimeId: placeId, workerId: placeId });
const after = z.string().min(1).max(1024).optional();
const runtimeErrors = [
  'invalid_identifier',
  'runtime_not_found',
  'runtime_unavailable',
  ...remoteErrors,
  'unsupported_operation',
] as const;
const workerErrors = [...runtimeErrors, 'worker_not_found', 'storage_failed'] as const;

export const workerOperations = {
  'worker.list': operation({
    summary: 'The workers of every runtime, each with its fair share of the page, or those of one',
    http: { method: 'GET', path: '/api/workers' },
    params: z.strictObject({
      runtimeId: placeId.optional(),
      after: after.describe('the `next` of the page before'),
      limit: pageLimit(200, 50),
    }),
    result: workerPage,
    errors: [...runtimeErrors, 'limit_too_large'],
    audience: 'browser',
  }),
  'worker.create': operation({
    summary: "Makes a worker; its id is the runtime's to choose",
    http: { method: 'POST', path: '/api/runtimes/{runtimeId}/workers' },
    params: z.strictObject({
      runtimeId: placeId,
      intent: z.string().min(1).max(100_000).describe("what it is for, in the caller's own words"),
      profile: z
        .string()
        .min(1)
        .max(256)
        .optional()
        .describe("one of runtime.show's profiles; absent: builtin:default"),
      requestedName: z.string().min(1).max(10_000).optional().describe('for people to read; it addresses nothing'),
      requestKey: openId.optional().describe('the same key with the same request gives the same worker'),
    }),
    result: workerView,
    errors: [
      ...runtimeErrors,
      'profile_not_found',
      'runtime_full',
      'payload_too_large',
      'storage_full',
      'storage_failed',
    ],
    audience: 'browser',
  }),
  'worker.show': operation({
    summary: 'One worker',
    http: { method: 'GET', path: '/api/runtimes/{runtimeId}/workers/{workerId}' },
    params: worker,
    result: workerView,
    errors: workerErrors,
    audience: 'browser',
  }),
  'worker.explain': operation({
    summary: 'How a worker is, what went wrong with its inputs, why, and what to do about it, in sentences',
    http: { method: 'GET', path: '/api/runtimes/{runtimeId}/workers/{workerId}/explanation' },
    params: worker,
    result: z.object({ explanation: z.array(explanation) }),
    errors: workerErrors,
  }),
  'worker.input': operation({
    summary: 'Gives a worker an input; answers when it is on disk and in the transcript, before anything runs',
    http: { method: 'POST', path: '/api/runtimes/{runtimeId}/workers/{workerId}/input' },
    params: worker.extend({
      kind: inputKind.default('user'),
      content: z.string().min(1),
      inputId: openId.optional().describe('the same id again is answered as the first time and runs nothing'),
    }),
    result: inputAnswer,
    errors: [...workerErrors, 'worker_busy', 'worker_stopped', 'payload_too_large', 'storage_full'],
    audience: 'browser',
  }),
  'worker.stop': operation({
    summary: 'Stops a worker for good; what runs or waits is cancelled',
    http: { method: 'POST', path: '/api/runtimes/{runtimeId}/workers/{workerId}/stop' },
    params: worker,
    result: workerChange,
    errors: workerErrors,
    audience: 'browser',
  }),
  'worker.cancel': operation({
    summary: 'Ends one input: the one with this eventId, or the one that runs when the request comes',
    http: { method: 'POST', path: '/api/runtimes/{runtimeId}/workers/{workerId}/cancel' },
    params: worker.extend({
      eventId: openId
        .optional()
        .describe('of the input to end, whether it runs or waits; one that has ended stays as it is'),
    }),
    result: inputCancellation,
    errors: [...workerErrors, 'input_not_found'],
    audience: 'browser',
  }),
  'worker.transcript': operation({
    summary: 'What was said, in order',
    http: { method: 'GET', path: '/api/runtimes/{runtimeId}/workers/{workerId}/transcript' },
    params: worker.extend({
      start: z.int().min(0).default(0).describe('the first sequence wanted'),
      limit: pageLimit(200, 100),
    }),
    result: transcriptPage,
    errors: [...workerErrors, 'limit_too_large'],
    duringShutdown: true,
    audience: 'browser',
  }),
  'worker.state': operation({
    summary: 'What a worker keeps in ctx.state, as of the last input that was done',
    http: { method: 'GET', path: '/api/runtimes/{runtimeId}/workers/{workerId}/state' },
    params: worker,
    result: keptState,
    errors: workerErrors,
  }),
  'worker.events': operation({
    summary:
      'What happens to a worker: a snapshot first, then each event in order; over JSON-RPC page by page, over HTTP as a stream',
    http: { method: 'GET', path: '/api/runtimes/{runtimeId}/workers/{workerId}/events' },
    params: worker.extend({
      after: after.describe('the cursor of the last event that was seen; absent: begin with a snapshot'),
      limit: pageLimit(200, 100).describe('of one page'),
      waitMs: z.int().min(0).max(60_000).default(0).describe('how long a page waits for its first event'),
    }),
    result: workerEventPage,
    errors: [...workerErrors, 'limit_too_large'],
    stream: true,
    // What became of an input that the shutdown ended is told to those who wait for it.
    duringShutdown: true,
    audience: 'browser',
  }),
};
