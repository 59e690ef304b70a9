// Operations on runtimes: the places that own workers.
import * as z from 'zod';
import { placeId } from '../identifiers.ts';
import { operation } from '../operation.ts';
import { pageLimit } from '../parameters.ts';
import { remoteErrors } from '../remote/errors.ts';
import { profileSummary, runtimeSummary, workerPage } from '../runtime.ts';

export const runtimeOperations = {
  'runtime.list': operation({
    summary: 'Every runtime with its workers counted; one that does not answer stands there as unavailable',
    http: { method: 'GET', path: '/api/runtimes' },
    params: z.strictObject({}),
    result: z.object({ runtimes: z.array(runtimeSummary) }),
    audience: 'browser',
  }),
  'runtime.show': operation({
    summary: 'One runtime, and the profiles its workers can be given',
    http: { method: 'GET', path: '/api/runtimes/{runtimeId}' },
    params: z.strictObject({ runtimeId: placeId }),
    result: runtimeSummary.extend({ profiles: z.array(profileSummary) }),
    errors: ['invalid_identifier', 'runtime_not_found', 'runtime_unavailable', ...remoteErrors],
    audience: 'browser',
  }),
  'runtime.workers': operation({
    summary: "The workers of one runtime: worker.list, by the runtime's own path",
    http: { method: 'GET', path: '/api/runtimes/{runtimeId}/workers' },
    params: z.strictObject({
      runtimeId: placeId,
      after: z.string().min(1).max(1024).optional().describe('the `next` of the page before'),
      limit: pageLimit(200, 50),
    }),
    result: workerPage,
    errors: [
      'invalid_identifier',
      'limit_too_large',
      'runtime_not_found',
      'runtime_unavailable',
      ...remoteErrors,
      'unsupported_operation',
    ],
    audience: 'browser',
  }),
};
