// plugin.json: what a plugin declares about itself. It is data; reading it never runs anything of the plugin.
import * as z from 'zod';
import { longestMs } from './durations.ts';
import { localName, pluginId } from './identifiers.ts';
import { jsonSchema } from './json-schema.ts';
import { environmentName, source, sourceIssues } from './sources.ts';
import { output, outputIssues } from './outputs.ts';

const durationMs = (least = 1) => z.int().min(least).max(longestMs);

export const isolation = z.enum(['thread', 'process']);
export const toolIsolation = z.enum(['pooled', 'fresh', 'process']);

export const cellLimits = z.strictObject({
  heapMb: z.int().min(8).max(65_536).default(128).describe('V8 heap of one cell'),
  rssMb: z
    .int()
    .min(32)
    .max(65_536)
    .default(512)
    .describe(
      'resident memory of a process cell and of what it has started; heap and memory outside it of a thread cell',
    ),
  escalate: z
    .enum(['process', 'never'])
    .optional()
    .describe(
      'process: after an end that no thread can hold (unkillable, out of memory) the service comes back as a process cell; absent: only after it took the daemon down; never: not even then',
    ),
  descriptors: z
    .int()
    .min(64)
    .max(1_000_000)
    .default(1000)
    .describe('files, folders, sockets and pipes that one cell may have open'),
  logBytesPerSecond: z
    .int()
    .min(1024)
    .max(16 * 1024 * 1024)
    .default(65_536)
    .describe('what one cell may log; the rest is counted and dropped'),
  cpuShare: z
    .number()
    .min(0.01)
    .max(1024)
    .optional()
    .describe(
      'of one processor, for all cells of the plugin together: 0.5 is half of one; beyond it their priority is lowered, then its service is paused between events and its tools between calls; absent: no bound',
    ),
});

/** Node would take a comma for two paths and an asterisk for any name. */
const grantedPath = z
  .string()
  .max(4096)
  .regex(/^(?:\*|[^\0,*]+)$/, 'must be a path without commas and asterisks, or "*" for everything');
const grantedPaths = z.array(grantedPath).max(64);

export const permissions = z.strictObject({
  fs: z
    .strictObject({
      read: grantedPaths
        .default([])
        .describe(
          "files, or folders with all they hold, relative to the plugin's folder, which is always readable; a folder that is not there yet ends in a slash",
        ),
      write: grantedPaths.default([]).describe('the same for writing'),
    })
    .prefault({}),
  childProcess: z.boolean().default(false).describe('start programs; what they may do is not bounded by this'),
  worker: z.boolean().default(false).describe('start worker threads; what they may do is not bounded by this'),
  addons: z.boolean().default(false).describe('load native addons'),
  control: z
    .boolean()
    .default(false)
    .describe(
      "connect to the daemon's control socket, by which other plugins can be loaded; without it a cell is refused, unless childProcess or addons lead round the refusal",
    ),
});

export const serviceTimeouts = z.strictObject({
  startMs: durationMs().default(10_000).describe('from spawning the cell to the end of start()'),
  handleMs: durationMs().default(5000).describe('one event, from its own start'),
  statusMs: durationMs().default(1000).describe("one call of the plugin's own status()"),
  stopMs: durationMs().default(5000).describe("draining the queue, and again the plugin's own stop()"),
});

export const durability = z.enum(['disk', 'memory']);
export type Durability = z.output<typeof durability>;

export const queueLimits = z.strictObject({
  durability: durability
    .optional()
    .describe(
      'disk: what was accepted survives the end of the daemon; memory: it does not, and nothing waits for the disk; absent: store.durability of the configuration',
    ),
  capacity: z.int().min(1).max(1_000_000).default(256).describe('events that may wait'),
  maxBytes: z
    .int()
    .min(1024)
    .max(1024 * 1024 * 1024)
    .default(16 * 1024 * 1024)
    .describe('bytes of JSON that may wait in memory; a durable queue goes on beyond it on disk alone'),
  diskBytes: z
    .int()
    .min(1024)
    .max(1024 * 1024 * 1024 * 1024)
    .default(1024 * 1024 * 1024)
    .describe('bytes of JSON that a durable queue may hold on disk'),
});

const ingress = z.strictObject({
  name: localName,
  kinds: z.array(localName).min(1).max(64),
  description: z.string().max(1000).optional(),
  payloadSchema: jsonSchema.optional().describe('checked inside the cell, before the handler sees the event'),
});

export const restart = z.strictObject({
  policy: z
    .enum(['never', 'on-failure'])
    .default('on-failure')
    .describe(
      'whether it comes back by itself; every end that nobody asked for counts as a failure, and so does a failed start',
    ),
  intensity: z.int().min(0).max(1000).default(5).describe('restarts within the period before it is given up'),
  periodMs: durationMs().default(60_000).describe('also how long it must run to count as stable'),
  backoffMs: z
    .tuple([durationMs(0), durationMs(0)])
    .default([200, 30_000])
    .describe('least and most; doubles with failures in a row, with full jitter'),
});

export const retry = z.strictObject({
  maxAttempts: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .describe('attempts at one event before it is a dead letter: throws, timeouts and crashes count together'),
  backoffMs: z
    .tuple([durationMs(0), durationMs(0)])
    .default([1000, 60_000])
    .describe(
      'least and most: how long a published event waits after its handler threw; doubles with each failed attempt',
    ),
  order: z
    .enum(['yield', 'hold'])
    .default('yield')
    .describe('whether the events behind one that waits for its retry go on (yield) or wait as well (hold)'),
});
export type RetryOptions = z.output<typeof retry>;

export const reload = z
  .enum(['beside', 'after'])
  .describe(
    'whether a reload starts the new incarnation beside the old one or after the old one has stopped, as a plugin needs it that holds a port or a lock',
  );

export const placement = z
  .enum(['here', 'one', 'each', 'shared'])
  .describe(
    'with a cluster: on this machine alone (here), one instance among the members (one), an instance on each (each), or the members share the events (shared)',
  );
export type Placement = z.output<typeof placement>;

const distinctNames = (rows: readonly { name: string }[]): boolean =>
  new Set(rows.map((row) => row.name)).size === rows.length;

export const serviceSection = z.strictObject({
  ingresses: z.array(ingress).min(1).max(64).refine(distinctNames, 'two ingresses have the same name'),
  queue: queueLimits.prefault({}),
  timeouts: serviceTimeouts.prefault({}),
  restart: restart.prefault({}),
  retry: retry.prefault({}),
  reload: reload.default('beside'),
  placement: placement.default('here'),
  sources: z
    .array(source)
    .max(64)
    .default([])
    .describe('where its events come from beside the control socket; the daemon runs them'),
  outputs: z.array(output).max(64).default([]).describe('where its commands (ctx.send) may go; the daemon sends them'),
});

/** Beside what each field must be by itself. */
const fitting = serviceSection.superRefine(({ sources, outputs, ingresses }, context) => {
  for (const { path, message } of sourceIssues(sources, ingresses))
    context.addIssue({ code: 'custom', path: ['sources', ...path], message });
  for (const { path, message } of outputIssues(outputs, { ingresses, sources }))
    context.addIssue({ code: 'custom', path: ['outputs', ...path], message });
});

/** Hints for those who decide whether a call needs to be asked for. Nobody is bound by them. */
export const toolAnnotations = z.strictObject({
  readOnly: z.boolean().optional().describe('changes nothing'),
  destructive: z.boolean().optional().describe('may delete or overwrite something'),
  idempotent: z.boolean().optional().describe('the same call twice does no more than once'),
  openWorld: z.boolean().optional().describe('reaches beyond this machine'),
});

export const toolSection = z.strictObject({
  name: localName,
  title: z.string().min(1).max(200).optional().describe('a name for people'),
  description: z.string().max(4000).default(''),
  inputSchema: jsonSchema.default({}),
  outputSchema: jsonSchema.default({}),
  annotations: toolAnnotations.optional().describe('hints for MCP clients'),
  timeoutMs: durationMs().default(10_000).describe('the whole call, waiting included'),
  isolation: toolIsolation.default('pooled').describe("a pool's thread, a thread or a process of each call's own"),
});

export const profileSection = z.strictObject({
  name: localName,
  description: z.string().max(4000).default(''),
  timeoutMs: durationMs().default(120_000).describe('one input, from its own start'),
});

/** What goes with `auth`: the header, and the variable that holds its value. */
const mcpAuth = z.strictObject({
  header: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'must be the name of an HTTP header')
    .default('authorization'),
  env: environmentName.describe('the variable that holds the value; the daemon reads it'),
  prefix: z.string().max(64).default('').describe('what stands before the value, such as "Bearer "'),
});

export const mcpTimeouts = z.strictObject({
  startMs: durationMs().default(60_000).describe('from starting it to its list of tools; it may have to be downloaded'),
  callMs: durationMs().default(60_000).describe('one call, waiting included; progress extends it'),
  mostMs: durationMs().default(600_000).describe('one call, however much progress it tells'),
  stopMs: durationMs().default(5000).describe('from the end of its input to its end'),
});

const mcpConcurrency = z
  .int()
  .min(1)
  .max(10_000)
  .default(16)
  .describe('calls that are with the server at once; others wait');

export const mcpSection = z.strictObject({
  command: z.string().min(1).max(4096).optional().describe('the program to run; it speaks MCP on its standard streams'),
  args: z.array(z.string().max(32_768)).max(256).default([]),
  cwd: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe("where it runs, relative to the plugin's folder; the folder itself where it is left out"),
  url: z
    .url({ protocol: /^https?$/, error: 'must be an http or https address' })
    .max(4096)
    .optional()
    .describe('in place of a command: a server that is reached over HTTP'),
  auth: mcpAuth.optional().describe('of a server that is reached over HTTP'),
  concurrency: mcpConcurrency,
  timeouts: mcpTimeouts.prefault({}),
  restart: restart.prefault({}),
});
export type McpSection = z.output<typeof mcpSection>;

export const manifest = z
  .strictObject({
    $schema: z.string().max(1000).optional().describe('for editors only'),
    schemaVersion: z.literal(1),
    id: pluginId,
    name: z.string().min(1).max(200),
    version: z
      .string()
      .regex(/^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]{1,100})?$/, 'must be a semantic version such as 1.2.0'),
    description: z.string().max(4000).default(''),
    entry: z
      .string()
      .min(1)
      .max(1000)
      .optional()
      .describe('an ES module inside the folder; needed unless there is `mcp`'),
    isolation: isolation.default('thread'),
    env: z.array(environmentName).max(256).default([]).describe('the only host environment names the cell sees'),
    limits: cellLimits.prefault({}),
    permissions: permissions
      .optional()
      .describe("turns Node's permission model on: the plugin may do what is granted here and nothing else of it"),
    mcp: mcpSection.optional().describe('an MCP server that is hosted, in place of an entry'),
    service: fitting.optional(),
    tools: z.array(toolSection).max(256).default([]).refine(distinctNames, 'two tools have the same name'),
    profiles: z.array(profileSection).max(64).default([]).refine(distinctNames, 'two profiles have the same name'),
  })
  .superRefine(({ entry, mcp, ...rest }, context) => {
    const refuse = (path: readonly string[], message: string): void =>
      context.addIssue({ code: 'custom', path: [...path], message });
    if (mcp === undefined) {
      if (entry === undefined) refuse(['entry'], 'is missing');
      return;
    }
    if (entry !== undefined) refuse(['entry'], 'must not stand beside `mcp`; remove one of them');
    for (const section of ['service', 'tools', 'profiles'] as const) {
      const value = rest[section];
      if (Array.isArray(value) ? value.length > 0 : value !== undefined)
        refuse([section], 'must not stand beside `mcp`: the server says what it offers');
    }
    if (rest.permissions !== undefined) refuse(['permissions'], "must not stand beside `mcp`: they are Node's");
    for (const fault of mcpFaults(mcp)) refuse(['mcp', fault.path], fault.message);
  });

/** What does not go together. */
function mcpFaults({ command, url, args, cwd, auth }: McpSection): { path: string; message: string }[] {
  if (command === undefined && url === undefined) return [{ path: 'command', message: 'is missing; or give `url`' }];
  if (command !== undefined && url !== undefined)
    return [{ path: 'url', message: 'must not stand beside `command`; remove one of them' }];
  const faults: { path: string; message: string }[] = [];
  if (url !== undefined && args.length > 0) faults.push({ path: 'args', message: 'must not stand beside `url`' });
  if (url !== undefined && cwd !== undefined) faults.push({ path: 'cwd', message: 'must not stand beside `url`' });
  if (command !== undefined && auth !== undefined)
    faults.push({ path: 'auth', message: 'must not stand beside `command`; name variables in `env`' });
  return faults;
}

export type Manifest = z.output<typeof manifest>;
export type ServiceSection = z.output<typeof serviceSection>;
export type ToolSection = z.output<typeof toolSection>;
export type ProfileSection = z.output<typeof profileSection>;
export type ToolIsolation = z.output<typeof toolIsolation>;
export type Isolation = z.output<typeof isolation>;
export type Permissions = z.output<typeof permissions>;
