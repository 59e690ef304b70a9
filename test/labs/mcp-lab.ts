// A real daemon with plugins for MCP, and clients of both generations of the SDK over every way in.
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernHttp } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio';
import { Client as OlderClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OlderStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as OlderHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { type TestDaemon, type TestDaemonOptions, startTestDaemon } from './test-daemon.ts';

export const command = fileURLToPath(new URL('../../dist/daemon/cli/nagaya.js', import.meta.url));
export const mcpFixtures = fileURLToPath(new URL('../fixtures/mcp', import.meta.url));

export interface McpLab {
  readonly daemon: TestDaemon;
  readonly stdio: { readonly command: string; readonly args: string[]; readonly stderr: 'ignore' };
  access(): Promise<{ readonly url: string; readonly token: string }>;
}

export async function startMcpLab(t: TestContext, options: TestDaemonOptions = {}): Promise<McpLab> {
  const daemon = await startTestDaemon(t, {
    plugins: [join(mcpFixtures, 'tools')],
    ...options,
    config: { http: { port: 0 }, ...options.config },
  });
  return {
    daemon,
    stdio: { command: process.execPath, args: [command, 'mcp', '--socket', daemon.socket], stderr: 'ignore' },
    access: async () => await (await daemon.connect()).call('mcp.access', {}),
  };
}

const info = { name: 'nagaya-test', version: '1.0.0' };

/** What the tests ask of a client, whichever SDK it is from. */
export type AnyClient = Pick<ModernClient, 'close'> & {
  listTools(params?: { cursor?: string }): Promise<{ tools: ListedTool[]; nextCursor?: string | undefined }>;
  callTool(params: { name: string; arguments?: Record<string, unknown> }): Promise<CalledTool>;
};

export interface ListedTool {
  readonly name: string;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  readonly inputSchema: object;
  readonly outputSchema?: object | undefined;
  readonly annotations?: object | undefined;
}

export interface CalledTool {
  readonly content: readonly { readonly type: string; readonly text?: string }[];
  readonly structuredContent?: unknown;
  readonly isError?: boolean | undefined;
  readonly _meta?: Record<string, unknown> | undefined;
}

export interface ClientHooks {
  readonly toolsChanged?: () => void;
}

export type Way = 'older stdio' | 'older http' | 'stdio' | 'http' | 'modern stdio' | 'modern http';
export const ways: readonly Way[] = ['older stdio', 'older http', 'stdio', 'http', 'modern stdio', 'modern http'];

export async function connectOlder(t: TestContext, lab: McpLab, way: 'stdio' | 'http'): Promise<OlderClient> {
  const client = new OlderClient(info);
  if (way === 'stdio') await client.connect(new OlderStdio(lab.stdio));
  else {
    const { url, token } = await lab.access();
    await client.connect(
      new OlderHttp(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
    );
  }
  t.after(() => client.close());
  return client;
}

export async function connectNewer(
  t: TestContext,
  lab: McpLab,
  way: 'stdio' | 'http',
  { modern, hooks = {} }: { readonly modern: boolean; readonly hooks?: ClientHooks },
): Promise<ModernClient> {
  const client = new ModernClient(info, {
    versionNegotiation: { mode: modern ? { pin: '2026-07-28' } : 'legacy' },
    listChanged: { tools: { onChanged: () => hooks.toolsChanged?.() } },
  });
  if (way === 'stdio') await client.connect(new ModernStdio(lab.stdio));
  else {
    const { url, token } = await lab.access();
    await client.connect(
      new ModernHttp(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
    );
  }
  t.after(() => client.close());
  return client;
}

export async function connectBy(t: TestContext, lab: McpLab, way: Way): Promise<AnyClient> {
  const transport = way.endsWith('stdio') ? 'stdio' : 'http';
  // Each of them has these methods, with types that differ in what the tests do not look at.
  return (way.startsWith('older')
    ? await connectOlder(t, lab, transport)
    : await connectNewer(t, lab, transport, { modern: way.startsWith('modern') })) as unknown as AnyClient;
}
