// Stands between the conformance suite and /mcp. The suite calls tools and prompts by fixed names; Nagaya's names begin
// with the plugin's, so that the proxy puts that in front of what is asked and takes it away from what is answered. It
// adds the token, and passes everything else on as it is, the headers Host and Origin too.
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  createServer,
  request,
} from 'node:http';
import type { AddressInfo } from 'node:net';

export interface NamingProxy {
  readonly url: string;
  close(): void;
}

export interface ProxiedServer {
  readonly url: string;
  readonly token: string;
  /** Ids of plugins, as names for MCP have them. */
  readonly tools: string;
  readonly prompts: string;
}

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export async function startNamingProxy(target: ProxiedServer): Promise<NamingProxy> {
  const server: Server = createServer((asked, answer) => void pass(target, asked, answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}/mcp`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function pass(target: ProxiedServer, asked: IncomingMessage, answer: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of asked) chunks.push(chunk as Buffer);
  const body = named(target, Buffer.concat(chunks).toString());
  const place = new URL(target.url);
  const headers: IncomingHttpHeaders = { ...asked.headers, authorization: `Bearer ${target.token}` };
  delete headers['transfer-encoding'];
  headers['content-length'] = String(Buffer.byteLength(body));
  // Where the suite names this proxy as the host, it means the server; where it names another, that is its trial.
  const ownPort = `:${String(asked.socket.localPort)}`;
  for (const name of ['host', 'origin'] as const)
    if (headers[name]?.endsWith(ownPort) === true) headers[name] = headers[name].replace(ownPort, `:${place.port}`);
  const name = headers['mcp-name'];
  if (typeof name === 'string') headers['mcp-name'] = nameFor(target, headers['mcp-method'], name);
  const onward = request(
    { host: place.hostname, port: place.port, path: asked.url, method: asked.method, headers, setHost: false },
    (given) => {
      const { 'content-length': _, ...rest } = given.headers;
      answer.writeHead(given.statusCode ?? 500, rest);
      answer.flushHeaders();
      relay(target, given, answer);
    },
  );
  onward.on('error', () => answer.destroy());
  answer.on('close', () => onward.destroy());
  onward.end(body);
}

/** A name may be cut in two by the network, but not by a line's end. */
function relay({ tools, prompts }: ProxiedServer, given: IncomingMessage, answer: ServerResponse): void {
  const bare = (text: string): string =>
    text.replaceAll(`"name":"${tools}__`, '"name":"').replaceAll(`"name":"${prompts}__`, '"name":"');
  let rest = '';
  given.setEncoding('utf8');
  given.on('data', (chunk: string) => {
    rest += chunk;
    const end = rest.lastIndexOf('\n') + 1;
    if (end > 0) answer.write(bare(rest.slice(0, end)));
    rest = rest.slice(end);
  });
  given.on('end', () => answer.end(bare(rest)));
  given.on('error', () => answer.destroy());
}

const promptMethods = ['prompts/get', 'completion/complete'];

const nameFor = ({ tools, prompts }: ProxiedServer, method: unknown, name: string): string => {
  if (method === 'tools/call') return `${tools}__${name}`;
  return promptMethods.includes(String(method)) ? `${prompts}__${name}` : name;
};

/** The request with the name that Nagaya has for what it asks for. */
function named(target: ProxiedServer, body: string): string {
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    // It is the server's to refuse.
    return body;
  }
  if (!isFields(message) || !isFields(message['params'])) return body;
  const { method, params } = message;
  const { name, ref } = params;
  if (typeof name === 'string') params['name'] = nameFor(target, method, name);
  if (isFields(ref) && typeof ref['name'] === 'string') ref['name'] = nameFor(target, method, ref['name']);
  return JSON.stringify(message);
}
