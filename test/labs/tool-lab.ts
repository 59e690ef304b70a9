// Runs a fixture plugin's tools in real pools, as the daemon does, and keeps what they tell the host.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Limits, limits as limitsSchema } from '../../daemon/config/schema.ts';
import type { ToolResult } from '../../daemon/tools/pending-call.ts';
import { PluginTools, type ToolRequest } from '../../daemon/tools/plugin-tools.ts';
import type { LogDroppedMessage, LogMessage } from '../../protocol/cell/messages.ts';
import { HostError } from '../../protocol/errors.ts';
import { type ToolIsolation, manifest as manifestSchema } from '../../protocol/manifest.ts';

const fixtures = fileURLToPath(new URL('../fixtures/tools', import.meta.url));

export const isolations: readonly ToolIsolation[] = ['pooled', 'fresh', 'process'];

/** Generous, because the machine may be busy: no test here is about how fast a cell starts. */
export const calmMs = 30_000;

export interface ToolLab {
  readonly tools: PluginTools;
  readonly logs: (LogMessage | LogDroppedMessage)[];
  readonly failures: { readonly error: HostError; readonly callId: string | undefined }[];
  /** The parsed output. */
  call(tool: string, input?: unknown, options?: Partial<ToolRequest>): Promise<unknown>;
  /** The typed error a call ends in. */
  refusal(tool: string, input?: unknown, options?: Partial<ToolRequest>): Promise<HostError>;
}

export interface ToolSetting {
  /** Of every tool of the fixture. */
  readonly isolation?: ToolIsolation;
  readonly limits?: Partial<Limits>;
  readonly env?: Record<string, string>;
  readonly config?: Record<string, unknown>;
  readonly heapMb?: number;
  readonly logBytesPerSecond?: number;
  readonly permissions?: object;
  /** By tool, in place of what the fixture has. */
  readonly inputSchemas?: Readonly<Record<string, unknown>>;
}

interface RawManifest {
  readonly entry: string;
  readonly tools: (Record<string, unknown> & { readonly name: string })[];
}

export async function withTools(
  fixture: string,
  setting: ToolSetting,
  use: (lab: ToolLab) => Promise<void>,
): Promise<void> {
  const folder = join(fixtures, fixture);
  const raw = JSON.parse(await readFile(join(folder, 'plugin.json'), 'utf8')) as RawManifest;
  const { isolation = 'pooled', heapMb, logBytesPerSecond, permissions, inputSchemas = {} } = setting;
  const manifest = manifestSchema.parse({
    ...raw,
    limits: {
      ...(heapMb === undefined ? {} : { heapMb }),
      ...(logBytesPerSecond === undefined ? {} : { logBytesPerSecond }),
    },
    ...(permissions === undefined ? {} : { permissions }),
    tools: raw.tools.map((tool) => ({
      timeoutMs: calmMs,
      isolation,
      ...tool,
      ...(Object.hasOwn(inputSchemas, tool.name) ? { inputSchema: inputSchemas[tool.name] } : {}),
    })),
  });
  const logs: ToolLab['logs'] = [];
  const failures: ToolLab['failures'] = [];
  const tools = new PluginTools(
    {
      id: manifest.id,
      folder,
      entry: join(folder, raw.entry),
      manifest,
      overridden: [],
      enabled: true,
      autostart: true,
      config: setting.config ?? {},
      notes: [],
    },
    {
      limits: limitsSchema.parse({ ...setting.limits }),
      env: setting.env ?? {},
      log: (message) => void logs.push(message),
      failed: (error, callId) => void failures.push({ error, callId }),
    },
  );
  const never = new AbortController().signal;
  const call: ToolLab['call'] = async (tool, input = null, options = {}) =>
    JSON.parse((await answerOf(tools, { tool, input, signal: never, ...options })).outputJson) as unknown;
  const refusal: ToolLab['refusal'] = async (tool, input, options) => {
    try {
      const output = await call(tool, input, options);
      throw new Error(`the call of ${tool} answered ${JSON.stringify(output).slice(0, 200)}`);
    } catch (thrown) {
      if (thrown instanceof HostError) return thrown;
      throw thrown;
    }
  };
  try {
    await use({ tools, logs, failures, call, refusal });
  } finally {
    await tools.close(10_000);
  }
}

export const answerOf = (tools: PluginTools, request: ToolRequest): Promise<ToolResult> =>
  new Promise((resolve, reject) => {
    tools.call(request, { succeeded: resolve, failed: reject });
  });

/** A file that a fixture writes as it goes; empty before that. */
export async function writtenIn(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    // Not written yet.
    return '';
  }
}
