// A daemon with one hosted MCP server that misbehaves as a test wishes.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Client } from '../../protocol/client/client.ts';
import { HostError } from '../../protocol/errors.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { type TestDaemon, startTestDaemon } from './test-daemon.ts';

const program = fileURLToPath(new URL('../fixtures/mcp/servers/misbehaving.mjs', import.meta.url));
/** The id of the server's plugin. */
export const plugin = 'test.server';

export interface HostedLab {
  readonly daemon: TestDaemon;
  readonly client: Client;
  call(tool: string, input?: object, timeoutMs?: number): Promise<string>;
  refusal(tool: string, input?: object, timeoutMs?: number): Promise<HostError>;
  pid(): Promise<number>;
}

export async function loadServer(
  t: TestContext,
  fault: string,
  more: object = {},
  manifest: object = {},
  config: object = {},
): Promise<HostedLab> {
  const folder = await temporaryFolder(t);
  const mcp = { command: process.execPath, args: [program, fault], ...more };
  const whole = { schemaVersion: 1, id: plugin, name: 'Server', version: '1.0.0', mcp, ...manifest };
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify(whole));
  const daemon = await startTestDaemon(t, { env: { NAMED: 'yes', UNNAMED: 'no' }, config });
  const client = await daemon.connect();
  await client.call('plugin.load', { path: folder });
  const call = async (tool: string, input: object = {}, timeoutMs?: number): Promise<string> => {
    const { output } = await client.call('tool.call', {
      plugin,
      // As Nagaya names it.
      tool: tool.replaceAll(/[ /]/g, '_'),
      input,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    return (output as { content: { text: string }[] }).content[0]?.text ?? '';
  };
  return {
    daemon,
    client,
    call,
    refusal: async (tool, input, timeoutMs) => {
      try {
        assert.fail(`the call of ${tool} answered ${await call(tool, input, timeoutMs)}`);
      } catch (thrown) {
        if (thrown instanceof HostError) return thrown;
        throw thrown;
      }
    },
    pid: async () => Number(await call('pid')),
  };
}

export const startServer = async (
  t: TestContext,
  fault = 'none',
  more: object = {},
  manifest: object = {},
  config: object = {},
): Promise<HostedLab> => {
  const lab = await loadServer(t, fault, more, manifest, config);
  await lab.client.call('service.start', { plugin });
  return lab;
};
