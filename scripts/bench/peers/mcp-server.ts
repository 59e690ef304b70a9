// The same tool as the bench plugin's, on the official SDK alone: over standard streams where it is started as a
// program, and over HTTP where a station asks for it.
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { attend } from '../attendant.ts';
import type { BenchEvent } from '../payload.ts';

function newServer(): Server {
  const server = new Server({ name: 'bare', version: '1.0.0' }, { capabilities: { tools: {} } });
  const tools = [{ name: 'amount', description: 'Answers the amount.', inputSchema: { type: 'object' as const } }];
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
    const { payload } = params.arguments as unknown as BenchEvent;
    return { content: [{ type: 'text', text: String(payload.amount) }] };
  });
  return server;
}

const sessions = new Map<string, StreamableHTTPServerTransport>();

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const id = request.headers['mcp-session-id'];
  let transport = typeof id === 'string' ? sessions.get(id) : undefined;
  if (transport === undefined) {
    const begun = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (session) => void sessions.set(session, begun),
    });
    transport = begun;
    await newServer().connect(transport);
  }
  await transport.handleRequest(request, response);
}

if (process.send === undefined) await newServer().connect(new StdioServerTransport());
else
  attend({
    listen: () =>
      new Promise<string>((resolve) => {
        const http = createServer((request, response) => void serve(request, response));
        http.listen(0, '127.0.0.1', () =>
          resolve(`http://127.0.0.1:${String((http.address() as AddressInfo).port)}/mcp`),
        );
      }),
  });
