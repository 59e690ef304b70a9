// Operations on the record of what was done to the daemon.
import * as z from 'zod';
import { operation } from '../operation.ts';
import { pageLimit } from '../parameters.ts';

const auditEntry = z.object({
  at: z.iso.datetime(),
  who: z.string().describe('a connection of the socket, or a session of the page'),
  operation: z.string(),
  plugin: z.string().optional(),
  tool: z.string().optional(),
  source: z.string().optional(),
  output: z.string().optional(),
  workerId: z.string().optional(),
  deadLetters: z.int().min(0).optional().describe('how many were named; absent for all of them'),
  outcome: z.string().describe('`ok`, or the code of the error'),
});
export type AuditEntry = z.output<typeof auditEntry>;

export const auditOperations = {
  'audit.list': operation({
    summary: 'What was done to the daemon, newest first: who, what, when and with which outcome',
    audience: 'operator',
    http: { method: 'GET', path: '/api/audit' },
    params: z.strictObject({ limit: pageLimit(1000, 100) }),
    result: z.object({
      entries: z.array(auditEntry),
      forgotten: z.int().min(0).describe('older ones that only the file in the state folder has'),
    }),
    errors: ['limit_too_large'],
  }),
};
