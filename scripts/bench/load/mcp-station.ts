// The load of MCP: a process of its own with the official client, which calls one tool.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { attend } from '../attendant.ts';
import { quantileOf } from '../figures.ts';
import { eventAt } from '../payload.ts';

export type McpPlan = { readonly tool: string } & (
  { readonly command: string; readonly args: string[] } | { readonly url: string; readonly token?: string }
);

export interface McpFigures extends Readonly<Record<string, number>> {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

const client = new Client({ name: 'bench', version: '1.0.0' });
let tool = '';

async function call(at: number): Promise<void> {
  const { isError, content } = await client.callTool({ name: tool, arguments: { ...eventAt(at) } });
  if (isError === true) throw new Error(`the call was refused: ${JSON.stringify(content)}`);
}

attend(
  {
    async open(plan: McpPlan): Promise<void> {
      ({ tool } = plan);
      if ('url' in plan) {
        const headers: Record<string, string> =
          plan.token === undefined ? {} : { authorization: `Bearer ${plan.token}` };
        await client.connect(new StreamableHTTPClientTransport(new URL(plan.url), { requestInit: { headers } }));
      } else
        await client.connect(new StdioClientTransport({ command: plan.command, args: plan.args, stderr: 'ignore' }));
      await call(0);
    },
    /** Half of the time with a window of calls, half of it with one at a time. */
    async measure({ durationMs, window }: { durationMs: number; window: number }): Promise<McpFigures> {
      const beganMs = performance.now();
      let calls = 0;
      const caller = async (): Promise<void> => {
        while (performance.now() - beganMs < durationMs / 2) await call((calls += 1));
      };
      await Promise.all(Array.from({ length: window }, caller));
      const perSecond = (calls / (performance.now() - beganMs)) * 1000;
      const micros: number[] = [];
      for (const fromMs = performance.now(); performance.now() - fromMs < durationMs / 2;) {
        const callMs = performance.now();
        await call(micros.length);
        micros.push((performance.now() - callMs) * 1000);
      }
      return { perSecond, p50: quantileOf(micros, 0.5), p99: quantileOf(micros, 0.99) };
    },
  },
  () => client.close(),
);
