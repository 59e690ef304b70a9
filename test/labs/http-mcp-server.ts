// An MCP server over HTTP, built with the official SDK, in the test's own process.
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type Server as HttpServer, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

export interface HttpMcpServer {
  readonly url: string;
  readonly port: number;
  /** Sessions that are open. */
  readonly sessions: number;
  /** Calls of `slow` that were withdrawn. */
  readonly withdrawn: number;
  /** Clients whose own stream is open are told. */
  addTool(name: string): Promise<void>;
  /** Drops every connection and takes no other. */
  close(): Promise<void>;
}

export interface HttpMcpOptions {
  readonly token?: string;
  /** Every request is sent there instead. */
  readonly redirectTo?: string;
  readonly port?: number;
}

interface Session {
  readonly server: Server;
  readonly transport: StreamableHTTPServerTransport;
}

export async function startHttpMcpServer(t: TestContext, options: HttpMcpOptions = {}): Promise<HttpMcpServer> {
  const sessions = new Map<string, Session>();
  const names = ['echo', 'steps', 'slow', 'fails'];
  const seen = { withdrawn: 0 };
  const http: HttpServer = createServer((request, response) => void answer(request, response));
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (options.redirectTo !== undefined) {
      response.writeHead(307, { location: options.redirectTo }).end();
      return;
    }
    if (options.token !== undefined && request.headers.authorization !== `Bearer ${options.token}`) {
      response.writeHead(401).end();
      return;
    }
    const id = request.headers['mcp-session-id'];
    const session = typeof id === 'string' ? sessions.get(id) : await newSession(sessions, names, seen);
    if (session === undefined) response.writeHead(404).end();
    else await session.transport.handleRequest(request, response);
  };
  await new Promise<void>((resolve) => http.listen(options.port ?? 0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => http.close(resolve));
    http.closeAllConnections();
    await closed;
  };
  t.after(async () => {
    if (http.listening) await close();
  });
  return {
    url: `http://127.0.0.1:${String(port)}/mcp`,
    port,
    get sessions() {
      return sessions.size;
    },
    get withdrawn() {
      return seen.withdrawn;
    },
    addTool: async (name) => {
      names.push(name);
      for (const { server } of sessions.values()) await server.sendToolListChanged();
    },
    close,
  };
}

async function newSession(
  sessions: Map<string, Session>,
  names: readonly string[],
  seen: { withdrawn: number },
): Promise<Session> {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void sessions.set(id, session),
    onsessionclosed: (id) => void sessions.delete(id),
  });
  const server = new Server({ name: 'remote', version: '1.0.0' }, { capabilities: { tools: { listChanged: true } } });
  const session: Session = { server, transport };
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: names.map((name) => ({ name, description: `The tool ${name}.`, inputSchema: { type: 'object' as const } })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal, sendNotification, _meta }) => {
    const { name, arguments: given = {} } = params;
    const progressToken = _meta?.progressToken;
    if (name === 'steps' && progressToken !== undefined)
      for (const progress of [1, 2, 3])
        await sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: 3 } });
    if (name === 'slow') {
      signal.addEventListener('abort', () => (seen.withdrawn += 1));
      await sleep(60_000, undefined, { signal, ref: false });
    }
    if (name === 'fails') return { isError: true, content: [{ type: 'text', text: 'it is not to be' }] };
    return { content: [{ type: 'text', text: JSON.stringify(given) }], structuredContent: given };
  });
  await server.connect(transport);
  return session;
}
