// An MCP server without any SDK whose one tool takes its time.
import { createInterface } from 'node:readline';

const answers = {
  initialize: () => ({
    protocolVersion: '2025-06-18',
    capabilities: { tools: {} },
    serverInfo: { name: 'slow', version: '1' },
  }),
  ping: () => ({}),
  'tools/list': () => ({ tools: [{ name: 'slow', inputSchema: { type: 'object' } }] }),
  'tools/call': async () => {
    await new Promise((resolve) => setTimeout(resolve, 100 * Math.random()));
    return { content: [{ type: 'text', text: 'done' }] };
  },
};

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, method } = JSON.parse(line);
  if (id === undefined) return;
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: await answers[method]() })}\n`);
});
