// Operations on the daemon itself.
import * as z from 'zod';
import { health } from '../health.ts';
import { operation } from '../operation.ts';
import { keptEvents } from '../status.ts';

const count = z.int().min(0);

const lost = z.object({
  events: count.describe('accepted by services whose queues are in memory, without an outcome'),
  begun: count.describe('of these, given to a cell: they may have been handled'),
  calls: count.describe('of tools, unanswered'),
  inputs: count.describe('of workers, unanswered'),
  plugins: count.describe('loaded at run time, and not loaded again'),
  byPlugin: z
    .array(z.object({ plugin: z.string(), events: count, begun: count, calls: count, inputs: count }))
    .describe('those that lost most'),
});

const death = z.object({
  at: z.iso.datetime(),
  signal: z.string().nullable(),
  exitCode: z.int().optional(),
  backAfterMs: count.optional().describe('from its end to the moment the next daemon listened'),
  culprit: z.string().optional().describe('the plugin that the evidence names'),
  where: z.string().optional().describe('where the culprit was, as far as it is known'),
  suspects: z.array(z.string()).describe('plugins that were executing, where the evidence names none'),
  message: z.string().optional().describe('the words of V8 or of the system'),
  lost,
});
export type Death = z.output<typeof death>;
export type Lost = Death['lost'];

const daemonStatus = z.object({
  pid: count,
  version: z.string(),
  node: z.string(),
  state: z.enum(['running', 'shutting_down']),
  startedAt: z.iso.datetime(),
  uptimeMs: count,
  socket: z.string(),
  config: z.string().nullable(),
  stateFolder: z.string(),
  counts: z.object({
    plugins: count,
    services: count,
    servicesRunning: count,
    servicesFailed: count,
    tools: count,
    toolCallsPending: count,
    toolThreads: count,
    workers: count,
    workersBusy: count,
    workerCells: count,
    connections: count,
    halfLineBytes: count.describe('what the unfinished lines and bodies of all connections hold'),
    subscriptions: count,
    unkillable: count,
  }),
  dropped: z.object({
    connectionsRefused: count,
    connectionsCutOff: count,
    notificationsFailed: count,
    subscriptionEvents: count,
    logLines: count.describe("of the daemon's own log and those of the plugins that are loaded"),
  }),
  standstills: z
    .object({ count, totalMs: count })
    .describe('how often the daemon was stopped or asleep, and for how long in all; deadlines leave it out'),
  notes: z.array(z.string()).describe('what the configuration says that has no effect'),
  faults: count.describe('errors of the daemon itself that it did not foresee'),
  eventLoopDelayMs: z.object({ p50: z.number(), p99: z.number(), max: z.number() }),
  descriptors: z
    .object({ open: count.nullable(), limit: count.nullable() })
    .describe("of the daemon's process, with all its thread cells; null where the system does not tell"),
  threadPool: z
    .object({
      threads: count,
      fullSince: z.iso.datetime().nullable().describe('null while it takes requests'),
      suspects: z
        .array(
          z.object({ plugin: z.string(), requests: count.nullable().describe('null where its threads do not answer') }),
        )
        .describe('while it is full: who has most requests that are in it or wait for it'),
    })
    .describe("libuv's pool of threads, which the host and all thread cells share"),
  memory: z.object({ rssMb: z.number(), heapUsedMb: z.number(), externalMb: z.number() }),
  limits: z.record(z.string(), z.number()).describe('every bound in force'),
  browser: z
    .object({
      address: z.string(),
      connections: count,
      streams: count,
      sessions: count.describe('browsers that are signed in'),
      links: count.describe('one-time links that wait to be used'),
      dropped: z.object({ connectionsRefused: count, connectionsCutOff: count }),
      limits: z.record(z.string(), z.number()),
    })
    .nullable()
    .describe('the port for browsers; null where none is open'),
  mcp: z
    .object({
      connections: count.describe('clients on the control socket, as `nagaya mcp` passes them on'),
      requests: count.describe('HTTP requests and streams at /mcp that are open'),
      calls: count.describe('calls of tools that are not answered'),
      servers: count.describe('hosted servers that run'),
      running: z.boolean().describe('the thread that speaks MCP has been started'),
    })
    .describe('clients of MCP and hosted servers'),
  guardian: z
    .object({
      pid: count,
      deaths: z.array(death).describe('of the daemons before this one, oldest first; the last 20'),
    })
    .nullable()
    .describe('the parent process that brings the daemon back; null where there is none'),
});
export type DaemonStatus = z.output<typeof daemonStatus>;

export const daemonOperations = {
  'daemon.status': operation({
    summary: 'What the daemon is and how it is doing',
    audience: 'operator',
    http: { method: 'GET', path: '/api/daemon' },
    params: z.strictObject({}),
    result: daemonStatus,
    duringShutdown: true,
  }),
  'daemon.ping': operation({
    summary: 'Whether the daemon answers',
    http: { method: 'GET', path: '/api/ping' },
    params: z.strictObject({}),
    result: z.object({ pong: z.literal(true), at: z.iso.datetime() }),
    duringShutdown: true,
  }),
  'daemon.health': operation({
    summary: 'Whether the daemon is ready, and why not; also at /livez and /readyz',
    audience: 'operator',
    http: { method: 'GET', path: '/api/health' },
    params: z.strictObject({}),
    result: health,
    duringShutdown: true,
  }),
  'daemon.shutdown': operation({
    summary: 'Stops every service and ends the daemon',
    http: { method: 'POST', path: '/api/daemon/shutdown' },
    params: z.strictObject({
      wait: z
        .boolean()
        .default(false)
        .describe('answer when the services are stopped, with what became of their events'),
    }),
    result: z.object({ shuttingDown: z.literal(true), pid: count, withinMs: count, ...keptEvents.partial().shape }),
    duringShutdown: true,
  }),
};
