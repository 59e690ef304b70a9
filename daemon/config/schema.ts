// nagaya.json: every bound of the daemon with its default, and what the operator overrides of each plugin.
import * as z from 'zod';
import { longestMs } from '../../protocol/durations.ts';
import { pluginId } from '../../protocol/identifiers.ts';
import {
  cellLimits,
  durability,
  isolation,
  manifest,
  mcpSection,
  mcpTimeouts,
  permissions,
  placement,
  profileSection,
  queueLimits,
  reload,
  restart,
  retry,
  serviceTimeouts,
  toolSection,
} from '../../protocol/manifest.ts';
import { cluster } from './cluster.ts';
import { http } from './http.ts';
import { remoteDaemons } from './remote-daemons.ts';
import { webhooks } from './webhooks.ts';

const kib = 1024;
const mib = 1024 * kib;
const bytes = (least: number, most: number) => z.int().min(least).max(most);
const many = (most = 1_000_000) => z.int().min(1).max(most);
const durationMs = (least = 1, most = longestMs) => z.int().min(least).max(most);

export const limits = z.strictObject({
  plugins: many(10_000).default(256).describe('plugins loaded at once'),
  manifestBytes: bytes(kib, 16 * mib)
    .default(256 * kib)
    .describe('one plugin.json'),
  schemaCheckMs: durationMs()
    .default(10_000)
    .describe('what compiling the JSON Schemas of a plugin may take when it is loaded or reloaded'),
  eventBytes: bytes(kib, 64 * mib)
    .default(256 * kib)
    .describe('one event, as JSON'),
  toolInputBytes: bytes(kib, 64 * mib)
    .default(mib)
    .describe('what a tool may be called with'),
  toolOutputBytes: bytes(kib, 64 * mib)
    .default(mib)
    .describe('what a tool or a handler may answer'),
  toolThreads: many(256).default(4).describe("threads or processes of one plugin's tools, for each isolation"),
  toolQueue: many().default(256).describe('calls of one plugin that may wait for a thread'),
  toolStartMs: durationMs()
    .default(10_000)
    .describe(
      "what a thread or process of a tool may take to start and to compile the schemas of the tool, beside the call's own timeoutMs",
    ),
  toolIdleMs: durationMs().default(30_000).describe("after this a tool's idle thread or process ends"),
  lineBytes: bytes(kib, 256 * mib)
    .default(8 * mib)
    .describe('one line of the control socket, or one HTTP body'),
  halfLineBytes: bytes(mib, 4096 * mib)
    .default(64 * mib)
    .describe('what the unfinished lines and bodies of all connections hold together'),
  nesting: z.int().min(8).max(10_000).default(128).describe('depth of the JSON of one request'),
  connections: many(100_000).default(512).describe('open at once on the control socket'),
  pendingCalls: many().default(1024).describe('unanswered calls of one connection'),
  rpcBatch: many(100_000).default(1024).describe('requests in one JSON-RPC batch'),
  publishBatch: many(100_000).default(1024).describe('events in one ingress.publish'),
  answerBytes: bytes(64 * kib, 1024 * mib)
    .default(32 * mib)
    .describe('answers a connection may leave unread before it is cut off'),
  idleHalfLineMs: durationMs(100).default(30_000).describe('a connection that begins a request and does not finish it'),
  deliverMs: durationMs().default(30_000).describe('how long ingress.deliver waits where the caller does not say'),
  subscriptions: many(10_000).default(64).describe('of one connection'),
  subscriptionBuffer: many().default(1000).describe('events kept for a subscriber that does not keep up'),
  countersEveryMs: durationMs(50).default(1000).describe('how often changed counters are pushed'),
  auditEntries: many(100_000).default(1000).describe('actions kept for `audit.list`'),
  diagnostics: many(10_000).default(50).describe("kept for each service's status"),
  timeline: many(1_000_000).default(1000).describe('entries kept for each plugin'),
  eventTrail: many(1_000_000).default(2000).describe("attempts of a service's newest events whose end is remembered"),
  deadLetters: many(100_000).default(1000).describe('kept for each service; beyond it the oldest goes'),
  deadLetterBytes: bytes(64 * kib, 1024 * mib)
    .default(16 * mib)
    .describe('of events kept as dead letters, for each service'),
  stateBytes: bytes(kib, 16 * mib)
    .default(mib)
    .describe('what ctx.state of one service holds: its keys, and its values as JSON'),
  commandsPerEvent: many(1000).default(16).describe('commands (ctx.send) of one event'),
  commandBytes: bytes(kib, 16 * mib)
    .default(64 * kib)
    .describe('one command, as JSON'),
  pendingCommands: many()
    .default(10_000)
    .describe('commands of one service that wait to be delivered; beyond it the service is paused'),
  pendingCommandBytes: bytes(64 * kib, 1024 * mib)
    .default(64 * mib)
    .describe('and their bytes'),
  outputConcurrency: many(1000).default(4).describe('keys of one output whose commands are delivered at once'),
  hops: many(1000)
    .default(16)
    .describe('how often events may lead to further events by outputs; beyond it the command is a dead letter'),
  ttlMs: durationMs(1000)
    .default(86_400_000)
    .describe('how long a command is tried before it is a dead letter, where its output does not say'),
  withinMs: durationMs(0, 365 * 86_400_000)
    .default(86_400_000)
    .describe('how old a missed run of a schedule may be to be made up for, where its source does not say'),
  bundles: many(1000).default(20).describe('flight-recorder bundles kept in all'),
  bundleBytes: bytes(16 * kib, 64 * mib)
    .default(mib)
    .describe('one flight-recorder bundle'),
  logLines: many(1_000_000).default(1000).describe('lines kept in memory of each log'),
  logFileBytes: bytes(64 * kib, 1024 * mib)
    .default(5 * mib)
    .describe("one file of a plugin's log"),
  logFiles: z.int().min(1).max(100).default(3).describe("files kept of a plugin's log"),
  cellMessagesPerTurn: many(100_000)
    .default(256)
    .describe('messages taken from one cell before the others have their turn'),
  daemonRssMb: z
    .int()
    .min(256)
    .max(1_048_576)
    .default(4096)
    .describe('resident memory of the daemon with all its thread cells; beyond it the cell that grew last is ended'),
  abortGraceMs: durationMs(0, 60_000).default(20).describe('between ctx.signal and the end of a cell'),
  killMs: durationMs(10, 60_000)
    .default(2000)
    .describe('after this a cell that does not end is given up as unkillable'),
  stalledMs: durationMs(100, 3_600_000)
    .default(5000)
    .describe('a thread cell that has nothing to do and whose event loop does not turn for this long is ended'),
  runtimeMs: durationMs()
    .default(2000)
    .describe('how long a runtime may take to answer; lists go without one that takes longer'),
  runtimeCalls: many().default(256).describe('calls that may wait for one runtime'),
  workers: many(100_000)
    .default(128)
    .describe('workers of the embedded runtime; beyond it the oldest that stopped or failed is forgotten'),
  workerInputs: many(10_000).default(16).describe('inputs of one worker that may wait'),
  workerInputBytes: bytes(kib, 16 * mib)
    .default(64 * kib)
    .describe('one input of a worker'),
  workerNameLength: many(10_000).default(200).describe("characters of a worker's requested name"),
  workerIntentLength: many(100_000).default(4000).describe("characters of a worker's intent"),
  workerKeys: many()
    .default(1000)
    .describe('request keys of the runtime, and input ids of each worker, that are remembered'),
  workerHistory: many(100_000).default(100).describe("items of its transcript that a worker's program is given"),
  workerHistoryBytes: bytes(kib, 16 * mib)
    .default(256 * kib)
    .describe('and their bytes'),
  transcriptItems: many().default(1000).describe('kept of each worker; beyond it the oldest goes'),
  transcriptBytes: bytes(64 * kib, 64 * mib)
    .default(mib)
    .describe("of a worker's transcript that are kept"),
  workerEvents: many().default(1000).describe('events kept of each worker for those who come back'),
  workerEventBytes: bytes(64 * kib, 64 * mib)
    .default(mib)
    .describe('of these events that are kept'),
  workerReaders: many(10_000).default(64).describe('who may follow one worker at once'),
  workerCells: many(10_000)
    .default(32)
    .describe('cells of workers at once; beyond it one that is idle is ended, or the input waits'),
  workerIdleMs: durationMs()
    .default(60_000)
    .describe('after this the cell of a worker without input is ended; the next input starts another'),
  workerCancelMs: durationMs(0, 600_000)
    .default(2000)
    .describe('what a program may take to react to the cancel of its input before its cell is ended'),
  workerSayBytes: bytes(kib, 64 * mib)
    .default(256 * kib)
    .describe('what a worker may say to one input'),
  workerSayPieces: many(100_000)
    .default(2000)
    .describe('pieces in which that arrives; beyond them it arrives in larger ones'),
  storeBytes: bytes(mib, 1024 * 1024 * mib)
    .default(4096 * mib)
    .describe('what the store may hold on disk; beyond it nothing more is stored'),
  storeNoteBytes: bytes(mib, 1024 * 1024 * mib)
    .default(256 * mib)
    .describe('what may be stored without a sync: timelines and the like'),
  storeMs: durationMs(10)
    .default(10_000)
    .describe('how long the disk of the store may take to answer before the store counts as failed'),
  storePendingBytes: bytes(mib, 4096 * mib)
    .default(64 * mib)
    .describe('what may wait for the disk of the store'),
  storePendingCommits: many().default(65_536).describe('commits that may wait for the disk of the store'),
  edgeEvents: many(100_000)
    .default(256)
    .describe('events of all sources that wait to be accepted; beyond it nothing more is read'),
  edgeStalledMs: durationMs(500, 3_600_000)
    .default(5000)
    .describe(
      'the thread of sources and outputs, and that of runtimes of other daemons, is replaced when it does not answer for this long',
    ),
  leaseMs: durationMs(500, 600_000)
    .default(10_000)
    .describe('how long a member of a cluster may be silent before its services move to other members'),
  clusterStalledMs: durationMs(500, 3_600_000)
    .default(5000)
    .describe('the thread of the cluster is replaced when it does not answer for this long'),
  clusterMs: durationMs(10, 600_000)
    .default(5000)
    .describe('how long the NATS server, or another member, may take to answer'),
  clusterPending: many()
    .default(4096)
    .describe('events and calls that may wait for the NATS server or for other members'),
  ackMs: durationMs(0, 60_000)
    .default(50)
    .describe('how long the end of a stored event may wait for company before it is stored'),
  dedupeMs: durationMs()
    .default(24 * 3_600_000)
    .describe('how long the idempotency key of an event is remembered'),
  dedupeKeys: many().default(100_000).describe('idempotency keys that are remembered of each service'),
  shutdownMs: durationMs(100, 600_000).default(15_000).describe('the daemon ends itself hard after this'),
});
export type Limits = z.output<typeof limits>;

type Overridable<Shape extends z.ZodRawShape> = {
  [Key in keyof Shape]: z.ZodOptional<Shape[Key] extends z.ZodDefault<infer Inner> ? Inner : Shape[Key]>;
};

/** An override's section: what it leaves out stays as the manifest has it, so no default may fill it in. */
function overriding<Shape extends z.ZodRawShape>(section: z.ZodObject<Shape>) {
  const shape = Object.entries(section.shape).map(([name, field]) => {
    const bare = z.optional(field instanceof z.ZodDefault ? field.unwrap() : field);
    const meta = z.globalRegistry.get(field);
    return [name, meta === undefined ? bare : bare.meta(meta)] as const;
  });
  // The entries are the section's own, each without its default.
  return z.strictObject(Object.fromEntries(shape) as unknown as Overridable<Shape>);
}

export const pluginOverride = z.strictObject({
  enabled: z.boolean().optional().describe('false: known, but neither started nor called'),
  autostart: z.boolean().optional().describe('false: its service waits for service.start'),
  isolation: isolation.optional().describe("in place of the manifest's"),
  env: manifest.shape.env.unwrap().optional().describe("replaces the manifest's list of names"),
  config: z.record(z.string(), z.unknown()).optional().describe('what the plugin finds as ctx.config'),
  limits: overriding(cellLimits).optional(),
  permissions: permissions.optional().describe("in place of the manifest's"),
  queue: overriding(queueLimits).optional(),
  timeouts: overriding(serviceTimeouts).optional(),
  restart: overriding(restart).optional(),
  retry: overriding(retry).optional(),
  reload: reload.optional(),
  mcp: overriding(mcpSection.pick({ concurrency: true }))
    .extend({ timeouts: overriding(mcpTimeouts).optional(), restart: overriding(restart).optional() })
    .optional()
    .describe('of a hosted MCP server'),
  placement: placement.optional(),
  sources: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .optional()
    .describe(
      "by a source's name: fields in place of the manifest's; here a credential may also be a file of mode 0600",
    ),
  outputs: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .optional()
    .describe(
      "by an output's name: fields in place of the manifest's; here a credential may also be a file of mode 0600",
    ),
  tools: z.record(z.string(), overriding(toolSection.pick({ timeoutMs: true, isolation: true }))).optional(),
  profiles: z.record(z.string(), overriding(profileSection.pick({ timeoutMs: true }))).optional(),
});
export type PluginOverride = z.output<typeof pluginOverride>;

export const logLevel = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']);

/** The same words as a plugin's `restart`, with a shorter back-off: everything waits for the daemon. */
const guardian = z.strictObject({
  restart: restart
    .extend({
      backoffMs: restart.shape.backoffMs
        .unwrap()
        .default([20, 5000])
        .describe('least and most; doubles with deaths in a row, with full jitter'),
    })
    .prefault({})
    .describe('when a daemon that died is started again'),
});

const exposePattern = z.string().min(1).max(200);

export const mcp = z.strictObject({
  expose: z
    .strictObject({
      allow: z
        .array(exposePattern)
        .max(256)
        .default(['*'])
        .describe('tools that MCP clients are offered: `plugin/tool` or the name for MCP, * for any characters'),
      deny: z.array(exposePattern).max(256).default([]).describe('of these, those that they are not'),
    })
    .prefault({}),
  pin: z
    .boolean()
    .default(false)
    .describe('hold back a tool whose description or schemas changed since it was approved'),
  pageSize: many(1000).default(100).describe('tools in one answer to tools/list'),
  sessions: many(10_000)
    .default(64)
    .describe('sessions of the older protocol over HTTP; beyond it the one that has rested longest ends'),
  sessionIdleMs: durationMs(1000).default(1_800_000).describe('a session that is not used for this long ends'),
  workers: z
    .boolean()
    .default(false)
    .describe('offer workers as the tools nagaya__start_worker, nagaya__send_to_worker and nagaya__read_worker'),
  lingerMs: durationMs(0, 600_000)
    .default(5000)
    .describe('how long calls may take that are pending when a client has ended its input'),
});
export type McpConfig = z.output<typeof mcp>;

export const config = z.strictObject({
  $schema: z.string().optional().describe('for editors only'),
  socket: z.string().min(1).optional().describe('where the control socket is; relative to this file'),
  stateFolder: z.string().min(1).optional().describe('where logs and state are kept; relative to this file'),
  log: z
    .strictObject({ level: logLevel.default('info').describe("the least that the daemon's own log holds") })
    .prefault({}),
  plugins: z
    .strictObject({
      folders: z
        .array(z.string().min(1))
        .max(256)
        .default([])
        .describe('plugins, or folders of plugins; relative to this file'),
      autostart: z.boolean().default(true).describe('start the services found there'),
      envFile: z
        .string()
        .min(1)
        .max(4096)
        .optional()
        .describe(
          'lines NAME=value, as if they stood in the environment of the daemon: for plugins that declare the name in env, and for credentials of sources and outputs; relative to this file; nobody else may read it',
        ),
      overrides: z.record(pluginId, pluginOverride).default({}),
    })
    .prefault({}),
  bundles: z
    .strictObject({
      payloads: z
        .boolean()
        .default(false)
        .describe('flight-recorder bundles also hold events that wait, with their payloads'),
    })
    .prefault({}),
  store: z
    .strictObject({
      durability: durability.default('disk').describe('of the queues of services that do not say it themselves'),
    })
    .prefault({}),
  http: http.optional(),
  webhooks: webhooks.optional(),
  outputs: z
    .strictObject({
      hold: z.boolean().default(false).describe('commands are kept and not delivered, as tests of plugins want it'),
    })
    .prefault({}),
  cluster: cluster.optional(),
  runtimes: remoteDaemons,
  guardian: guardian.prefault({}),
  mcp: mcp.prefault({}),
  limits: limits.prefault({}),
});
export type Config = z.output<typeof config>;
