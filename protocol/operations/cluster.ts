// Operations on the cluster: which daemons are its members, and taking one of them out of the work.
import * as z from 'zod';
import { errorCodes } from '../errors.ts';
import { memberForm } from '../identifier-forms.ts';
import { placement } from '../manifest.ts';
import { operation } from '../operation.ts';

const memberService = z.object({
  plugin: z.string(),
  placement,
  lifecycle: z.string().describe('of the instance on this member; ready or stopped where another member has it'),
  fence: z.int().min(0).nullable().describe('the fencing number under which it acts; null where it needs none'),
  partitions: z
    .array(z.object({ partition: z.int().min(0), fence: z.int().min(0) }))
    .optional()
    .describe('of a shared service: those that this member holds; absent where it takes none'),
});

const member = z.object({
  member: z.string(),
  version: z.string().describe('of its daemon'),
  state: z
    .enum(['active', 'draining', 'lost'])
    .describe('draining: it takes no service; lost: nothing was heard of it for limits.leaseMs'),
  services: z.array(memberService),
});
export type ClusterMember = z.output<typeof member>;

export const clusterStatus = z.object({
  name: z.string(),
  member: z.string().describe('this daemon'),
  connected: z.boolean().describe('the NATS server answers, and this daemon is one of the members'),
  members: z.array(member),
  fault: z
    .object({ code: z.enum(errorCodes), message: z.string() })
    .nullable()
    .describe('why it is not connected'),
});
export type ClusterStatus = z.output<typeof clusterStatus>;

export const clusterOperations = {
  'cluster.status': operation({
    summary: 'The members of the cluster as this daemon sees them, each with its services',
    http: { method: 'GET', path: '/api/cluster' },
    params: z.strictObject({}),
    result: clusterStatus,
    errors: ['unsupported_operation'],
    duringShutdown: true,
  }),
  'cluster.drain': operation({
    summary: 'Has a member give its services to the others and take none until it is told otherwise or restarted',
    http: { method: 'POST', path: '/api/cluster/drain' },
    params: z.strictObject({
      member: z.string().regex(memberForm, 'must be the name of a member').optional().describe('absent: this daemon'),
      undo: z.boolean().default(false).describe('true: it takes services again'),
    }),
    result: z.object({ member: z.string(), state: z.enum(['active', 'draining']) }),
    errors: [
      'unsupported_operation',
      'member_not_found',
      'member_unavailable',
      'member_version',
      'cluster_unavailable',
    ],
  }),
};
