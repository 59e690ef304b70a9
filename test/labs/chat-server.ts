// A local server that speaks the chat part of OpenAI's HTTP API, as well or as badly as a test wants it to.
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

export interface ChatRequest {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: {
    readonly model: string;
    readonly stream: boolean;
    readonly messages: readonly { readonly role: string; readonly content: string }[];
  };
}

export interface ChatServer {
  readonly endpoint: string;
  readonly requests: readonly ChatRequest[];
  /** Requests whose client went away before the answer was whole. */
  readonly abandoned: () => number;
}

export type Answering = (response: ServerResponse, request: ChatRequest) => void | Promise<void>;

export async function chatServer(t: TestContext, answer: Answering): Promise<ChatServer> {
  const requests: ChatRequest[] = [];
  let abandoned = 0;
  const server = createServer((request, response) => {
    response.on('close', () => {
      if (!response.writableEnded) abandoned += 1;
    });
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part));
    request.on('end', () => {
      const taken: ChatRequest = {
        path: request.url ?? '',
        headers: request.headers,
        body: JSON.parse(text) as ChatRequest['body'],
      };
      requests.push(taken);
      void answer(response, taken);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    endpoint: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/v1`,
    requests,
    abandoned: () => abandoned,
  };
}

export const delta = (content: string, finish: string | null = null): string =>
  JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] });
export const event = (data: string, lineEnd = '\n'): string => `data: ${data}${lineEnd}${lineEnd}`;

export function beginStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  response.flushHeaders();
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
